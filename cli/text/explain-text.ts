import type { Explanation } from '../../core/admin/index.ts';

const sign = { ok: 'ok', warning: 'WARN', failed: 'FAIL' } as const;

/** Pure: the decision step by step, the verdict last, where the eye ends. */
export function explainText(explanation: Explanation): string {
  const width = Math.max(0, ...explanation.steps.map((s) => s.stage.length));
  const steps = explanation.steps.flatMap((step, i) => [
    `${String(i + 1).padStart(2)}. ${step.stage.padEnd(width)}  ${sign[step.outcome].padEnd(4)}  ${step.text}`,
    ...step.details.map((detail) => `${' '.repeat(width + 12)}- ${detail}`),
  ]);
  return [
    `${explanation.src} -> ${explanation.dst}`,
    ...steps,
    '',
    `${explanation.verdict.toUpperCase()}: ${explanation.summary}`,
    '',
  ].join('\n');
}
