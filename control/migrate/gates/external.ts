import type { MigrationGate } from '../../../core/config/index.ts';
import type { ExternalValue } from '../contract.ts';
import type { Judgement } from './contract.ts';
import { number } from './words.ts';

type PrometheusGate = Extract<MigrationGate, { type: 'prometheus' }>;

export function prometheusLimit({ min, max }: PrometheusGate): string {
  return [...(min === undefined ? [] : [`≥ ${number(min)}`]), ...(max === undefined ? [] : [`≤ ${number(max)}`])].join(', and ');
}

const base = { value: null, compared: null, samples: 0, needed: 0, confidence: null } as const;

export function judgePrometheus({ min, max }: PrometheusGate, answer: ExternalValue | undefined): Judgement {
  const said = judgeAnswer(answer);
  if (said !== undefined) return said;
  const value = answer?.kind === 'value' ? answer.value : Number.NaN;
  if (!Number.isFinite(value)) return { ...base, verdict: 'no-data', reason: `the query gives ${value}` };
  const seen = `the query gives ${number(value)}`;
  const found = { ...base, value, samples: 1, needed: 1 };
  if (max !== undefined && value > max) return { ...found, verdict: 'breach', reason: `${seen}, more than ${number(max)}` };
  if (min !== undefined && value < min) return { ...found, verdict: 'breach', reason: `${seen}, less than ${number(min)}` };
  return { ...found, verdict: 'pass', reason: seen };
}

export function judgeHook(answer: ExternalValue | undefined): Judgement {
  return judgeAnswer(answer) ?? { ...base, verdict: 'no-data', reason: 'the hook answered with a value, which is no verdict' };
}

/** Undefined: a value, which has a limit. */
function judgeAnswer(answer: ExternalValue | undefined): Judgement | undefined {
  if (answer === undefined) return { ...base, verdict: 'no-data', reason: 'it was not asked yet' };
  if (answer.kind === 'value') return undefined;
  return { ...base, verdict: answer.kind, reason: answer.reason };
}
