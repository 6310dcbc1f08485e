/** Figures as people read them, and durations as the objects take them. */

const units: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
];

/** `1h30m`, `15s`, `0`; of what is finer than a ms the next whole one. */
export function durationText(ms: number): string {
  let left = Math.ceil(ms);
  if (left <= 0) return '0';
  const parts: string[] = [];
  for (const [unit, size] of units) {
    const count = Math.floor(left / size);
    if (count > 0) parts.push(`${count}${unit}`);
    left -= count * size;
  }
  return parts.join('');
}

/** For people: to the second from a minute on, to the minute from a day on. */
export function aboutText(ms: number): string {
  if (!Number.isFinite(ms)) return 'for ever';
  const grain = ms >= 86_400_000 ? 60_000 : ms >= 60_000 ? 1_000 : 1;
  return durationText(Math.ceil(ms / grain) * grain);
}

/** Three digits that count. */
export function numberText(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

/** Of a share in [0, 1]. */
export function percentText(share: number): string {
  return `${numberText(share * 100)} %`;
}

export function rateText(perSecond: number): string {
  return `${numberText(perSecond)}/s`;
}

/** `a, b and c`. */
export function listText(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}

/** The first few, and how many more there are. */
export function someText(words: readonly string[], most = 5): string {
  if (words.length <= most) return listText(words);
  return `${words.slice(0, most).join(', ')} and ${words.length - most} more`;
}

/** `1 endpoint`, `2 endpoints`. */
export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
