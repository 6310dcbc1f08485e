import type { Difference, HeldAs, Holding, ObjectState, Pair, PairDrift } from './contract.ts';

/**
 * Pure: who holds what of whom, compared with what its owner has now. Where the owner is not reachable the newest that anybody says of it
 * is the measure: what is older lags for certain, and of the rest nobody knows. Sorted by owner and cluster.
 */
export function findDrift(pairs: readonly Pair[], holdings: readonly Holding[]): readonly PairDrift[] {
  const byOwner = new Map<string, Holding[]>();
  for (const holding of holdings) byOwner.set(holding.owner, [...(byOwner.get(holding.owner) ?? []), holding]);
  const measures = new Map([...byOwner].map(([owner, all]) => [owner, measureOf(owner, all)]));
  const sorted = [...pairs].sort((a, b) => compare(a.owner, b.owner) || compare(a.cluster, b.cluster));
  return sorted.map((pair) => {
    const held = byOwner.get(pair.owner)?.find((h) => h.cluster === pair.cluster);
    return compareHolding(pair, held, measures.get(pair.owner));
  });
}

interface Measure {
  readonly reference: Holding;
  /** It is the owner's own word, as of now. */
  readonly certain: boolean;
  /** The reference, object by object; absent: nobody names it here. */
  readonly listing: ReadonlyMap<string, HeldAs> | undefined;
}

function measureOf(owner: string, all: readonly Holding[]): Measure | undefined {
  const own = all.find((h) => h.cluster === owner);
  // The owner first, so that it wins among equals; the others by name, so that it does not show who spoke first.
  const others = all.filter((h) => h !== own).sort((a, b) => compare(a.cluster, b.cluster));
  const ranked = own === undefined ? others : [own, ...others];
  const reference =
    own?.current === true ? own : ranked.reduce<Holding | undefined>((a, b) => (a && a.revision >= b.revision ? a : b), undefined);
  if (reference === undefined) return undefined;
  const listing = ranked
    .filter((h) => h.hash === reference.hash)
    .map(namesOf)
    .find((names) => names !== undefined);
  return { reference, certain: reference === own && own.current, listing };
}

/** Undefined: not told here, or not all of it yet. */
function namesOf({ named, objects }: Holding): ReadonlyMap<string, HeldAs> | undefined {
  if (objects === 0) return new Map();
  return named?.size === objects ? named : undefined;
}

function compareHolding(pair: Pair, held: Holding | undefined, measure: Measure | undefined): PairDrift {
  const { owner, cluster } = pair;
  const reference = measure?.reference;
  const listing = measure?.listing;
  const known = {
    ...pair,
    ...(held === undefined ? {} : { held }),
    ...(reference === undefined ? {} : { reference }),
    ...(listing === undefined ? {} : { listing }),
  };
  if (held === undefined || measure === undefined || reference === undefined) {
    const why = `${held === undefined ? cluster : owner} has said nothing of them: it was never connected, or is of a version that does not say it`;
    return { ...known, state: 'unknown', differences: [], why };
  }
  const differences = differencesOf(held, measure);
  if (!held.current) {
    const last = differences.map(
      (d): Difference => ({ ...d, state: 'unknown', why: `when ${cluster} was last heard: ${wordsOf[d.state]}` }),
    );
    return { ...known, state: 'unknown', differences: last, why: `${cluster} is not reachable: what it holds now is not known` };
  }
  if (measure.certain) return { ...known, state: differences.length === 0 ? 'in-sync' : 'drift', differences, why: '' };
  const why = `${owner} is not reachable: what it has now is not known`;
  // Somebody has had a newer word of the owner's.
  if (held.revision < reference.revision) return { ...known, state: 'drift', differences, why };
  const refused = differences.filter((d) => d.state === 'refused');
  return { ...known, state: refused.length > 0 ? 'drift' : 'unknown', differences: refused, why };
}

const wordsOf: Readonly<Record<ObjectState, string>> = {
  lags: 'another version',
  missing: 'missing',
  refused: 'refused',
  extra: 'held, though its owner no longer has it',
  unknown: 'not known',
};

function differencesOf(held: Holding, { reference, listing }: Measure): readonly Difference[] {
  const same = held.hash === reference.hash;
  if (same && held.refusedObjects === 0) return [];
  const named = namesOf(held);
  if (named === undefined) return unnamed(held, reference, same);
  // Of equal sets what is held is the listing itself.
  const expected = same ? named : listing;
  if (expected === undefined) return unnamed(held, reference, same);
  const found: Difference[] = [];
  for (const [object, { version }] of expected) {
    const has = named.get(object);
    if (has === undefined) found.push({ object, count: 1, state: 'missing', expected: version, why: '' });
    else if (has.version !== version) found.push({ object, count: 1, state: 'lags', expected: version, held: has.version, why: '' });
    else if (has.refused) found.push({ object, count: 1, state: 'refused', expected: version, held: version, why: has.reason ?? '' });
  }
  for (const [object, { version }] of named) {
    if (!expected.has(object)) found.push({ object, count: 1, state: 'extra', held: version, why: '' });
  }
  return found.sort((a, b) => compare(a.object, b.object));
}

/** What can be said without names. */
function unnamed(held: Holding, reference: Holding, same: boolean): readonly Difference[] {
  const { refusedObjects } = held;
  const refused: Difference[] = refusedObjects === 0 ? [] : [{ object: '', count: refusedObjects, state: 'refused', why: '' }];
  if (same) return refused;
  const count = Math.max(1, Math.abs(reference.objects - held.objects));
  return [...refused, { object: '', count, state: 'lags', why: 'which objects differ is not told here: ask their owner' }];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
