/** An IPv4 range as its first address and prefix length. */
interface Range {
  readonly base: number;
  readonly length: number;
}

/** As it is usually written: the network's address, and always a length. `text` is a valid IPv4 address or CIDR. Pure. */
export function canonicalCidr(text: string): string {
  const { base, length } = rangeOf(text);
  return `${[24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join('.')}/${length}`;
}

/** Whether all of `inner` is in `outer`. Pure. */
export function holds(outer: string, inner: string): boolean {
  const [a, b] = [rangeOf(outer), rangeOf(inner)];
  return a.length <= b.length && (b.base & maskOf(a.length)) >>> 0 === a.base;
}

/** Without those that are in another one of them, each once. Pure. */
export function outermost(cidrs: readonly string[]): readonly string[] {
  const all = [...new Set(cidrs.map(canonicalCidr))];
  return all.filter((each) => !all.some((other) => other !== each && holds(other, each)));
}

function rangeOf(text: string): Range {
  const [address = '', length = '32'] = text.split('/');
  const base = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  return { base: (base & maskOf(Number(length))) >>> 0, length: Number(length) };
}

function maskOf(length: number): number {
  return length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
}
