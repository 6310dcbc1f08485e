const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** In the largest units, as `parseDuration` reads it: `24h` as `1d`, 90,000 as `1m30s`. Parts of a ms are left out. */
export function formatDuration(ms: number): string {
  let left = Math.floor(ms);
  const parts = Object.entries(unitMs)
    .reverse()
    .flatMap(([unit, size]) => {
      const number = Math.floor(left / size);
      left -= number * size;
      return number === 0 ? [] : [`${number}${unit}`];
    });
  return parts.join('') || '0';
}

/** `15s`, `24h`, `1h30m`, `250ms` or a bare `0`, as whole ms; undefined when it is none, or finer. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^([0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h|d))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/([0-9.]+)(ms|s|m|h|d)/g)];
  const ms = parts.reduce((sum, [, number = '0', unit = 'ms']) => sum + Number(number) * (unitMs[unit] ?? 0), 0);
  // 16.1 s is 16100.000000000002 ms in binary.
  const whole = Math.round(ms);
  return Math.abs(ms - whole) < 5e-7 + ms * 1e-15 ? whole : undefined;
}
