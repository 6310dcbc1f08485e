import type { MigrationPlan } from '../../core/admin/index.ts';

const mark = { pass: 'ok  ', warn: 'WARN', fail: 'FAIL' } as const;

/** Pure: the Migration to review, then what was looked at, and last what has to change. */
export function migrationPlanText({ ok, namespace, name, yaml, checks }: MigrationPlan): string {
  const lines = checks.map((check) => {
    const where = check.path === '' || check.ok === 'pass' ? '' : ` (${check.path})`;
    return `  ${mark[check.ok]} ${check.name}: ${check.message}${where}${check.fix === '' ? '' : `\n         change: ${check.fix}`}`;
  });
  const of = (word: keyof typeof mark) => checks.filter((check) => check.ok === word).length;
  const verdict = ok
    ? `${namespace}/${name} can begin: isthmus migrate start -f FILE. Nothing was changed.`
    : `${namespace}/${name} must not begin as things are. Nothing was changed.`;
  const sums = `${checks.length} looked at: ${of('pass')} ok, ${of('warn')} to know of, ${of('fail')} to change.`;
  return `${yaml.trimEnd()}\n\nChecks\n${lines.join('\n')}\n\n${sums}\n${verdict}\n`;
}
