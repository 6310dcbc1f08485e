import { hash32, mix32 } from './hash.ts';

/** What a table is made of; weights are relative and > 0. */
export interface Share {
  readonly key: string;
  readonly weight: number;
}

/** Which share a hash belongs to. Deterministic: every proxy with the same shares has the same table. */
export interface HashTable {
  /** Index of a share. `skip`: indices that are not wanted; the next one along the table is taken. -1: none is left. */
  lookup(hash: number, skip?: (index: number) => boolean): number;
}

export type TableSpec =
  | { readonly type: 'ring'; readonly minimumRingSize: number }
  | { readonly type: 'maglev'; readonly tableSize: number };

/** However many hosts there are and however unequal, a ring does not grow beyond this, unless it was asked to. */
const maxRingSize = 2 ** 19;

export function buildTable(spec: TableSpec, shares: readonly Share[]): HashTable {
  if (shares.length === 0) return { lookup: () => -1 };
  return spec.type === 'ring' ? buildRing(shares, spec.minimumRingSize) : buildMaglev(shares, spec.tableSize);
}

/**
 * Ketama. Envoy divides the ring's size by the number of hosts, so that one that leaves moves the places of all the others; here
 * a host's places depend on its own weight alone (against the next power of two of the greatest), so that it moves nobody's.
 * The ring has its minimum size from four hosts on.
 */
function buildRing(shares: readonly Share[], minimumSize: number): HashTable {
  const total = shares.reduce((sum, { weight }) => sum + weight, 0);
  const most = shares.reduce((max, { weight }) => Math.max(max, weight), 0);
  const reference = 2 ** Math.ceil(Math.log2(most));
  let each = minimumSize / 2;
  while ((each * total) / reference > Math.max(maxRingSize, minimumSize)) each /= 2;
  const places: number[] = [];
  shares.forEach(({ key, weight }, index) => {
    const base = hash32(key);
    const count = Math.max(1, Math.round((each * weight) / reference));
    // The share's index rides in the low bits, so that sorting is on plain numbers.
    for (let i = 0; i < count; i++) places.push(mix32(base + Math.imul(i, goldenRatio)) * indexRange + index);
  });
  const sorted = Float64Array.from(places).sort();
  return {
    lookup: (hash, skip) => walk(sorted.length, firstAtLeast(sorted, hash * indexRange), (at) => (sorted[at] ?? 0) % indexRange, skip),
  };
}

/** 2^32 over the golden ratio: multiples of it never meet. */
const goldenRatio = 0x9e3779b1;
const indexRange = 2 ** 20;

function firstAtLeast(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low === sorted.length ? 0 : low;
}

/** Maglev's permutations (Eisenbud et al., NSDI 2016, §3.4), each share taking turns in proportion to its weight, as Envoy does. */
function buildMaglev(shares: readonly Share[], size: number): HashTable {
  const most = shares.reduce((max, { weight }) => Math.max(max, weight), 0);
  const turns = shares.map(({ key, weight }) => ({
    at: hash32(key) % size,
    step: (hash32(key, 1) % (size - 1)) + 1,
    pace: weight / most,
    target: 0,
  }));
  const table = new Int32Array(size).fill(-1);
  let filled = 0;
  for (let round = 1; filled < size; round++) {
    for (const [index, turn] of turns.entries()) {
      if (filled === size) break;
      if (round * turn.pace < turn.target) continue;
      turn.target += 1;
      while (table[turn.at] !== -1) turn.at = (turn.at + turn.step) % size;
      table[turn.at] = index;
      filled += 1;
    }
  }
  return { lookup: (hash, skip) => walk(size, hash % size, (at) => table[at] ?? -1, skip) };
}

function walk(size: number, start: number, indexAt: (at: number) => number, skip: ((index: number) => boolean) | undefined): number {
  if (skip === undefined) return indexAt(start);
  const refused = new Set<number>();
  for (let i = 0; i < size; i++) {
    const index = indexAt((start + i) % size);
    if (refused.has(index)) continue;
    if (!skip(index)) return index;
    refused.add(index);
  }
  return -1;
}
