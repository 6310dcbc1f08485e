import { percent } from '../../../core/figures.ts';

/** Of errors; `-` without requests. */
export function errorShare(errors: number, requests: number): string {
  return requests === 0 ? '-' : percent((100 * errors) / requests);
}

const units = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
] as const;

/** `2h 5m`, `45s`: its two largest parts; `-` where either end is not known. */
export function between(from: string | null, to: string | null): string {
  if (from === null || to === null) return '-';
  const ms = Math.max(0, Date.parse(to) - Date.parse(from));
  const first = units.findIndex(([size]) => ms >= size);
  if (first < 0) return '0s';
  return units
    .slice(first, first + 2)
    .map(([size, word], i) => [Math.floor((i === 0 ? ms : ms % (units[first]?.[0] ?? 1)) / size), word] as const)
    .filter(([n, _], i) => i === 0 || n > 0)
    .map(([n, word]) => `${n}${word}`)
    .join(' ');
}
