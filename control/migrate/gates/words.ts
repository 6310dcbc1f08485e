/** Numbers as people read them: three digits that count. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return 'unlimited';
  if (value === 0) return '0';
  const digits = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
  return String(digits);
}

export function percent(share: number): string {
  return `${number(share * 100)} %`;
}

export function ms(value: number): string {
  return value >= 10_000 ? `${number(value / 1_000)} s` : `${number(value)} ms`;
}

/** The first few of a list, and how many more there are. */
export function some(names: readonly string[], most = 3): string {
  const more = names.length - most;
  return more > 0 ? `${names.slice(0, most).join(', ')} and ${more} more` : names.join(', ');
}
