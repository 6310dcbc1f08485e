const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `15s`, `24h`, `1h30m`, `250ms` or a bare `0`, as ms; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^([0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h|d))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/([0-9.]+)(ms|s|m|h|d)/g)];
  return parts.reduce((sum, [, number = '0', unit = 'ms']) => sum + Number(number) * (unitMs[unit] ?? 0), 0);
}
