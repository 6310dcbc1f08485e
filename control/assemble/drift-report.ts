import type { Drift, DriftObject } from '../../core/admin/index.ts';
import type { Difference, DriftWatch, PairDrift } from '../drift/index.ts';
import { type ObjectView, refOfKey } from '../objects/index.ts';
import type { DriftCount } from './metrics.ts';

export interface DriftReportInput {
  /** Whose report it is. */
  readonly cluster: string;
  readonly pairs: readonly PairDrift[];
  readonly view: ObjectView;
  readonly watch: DriftWatch;
  /** Unix ms. */
  readonly now: number;
  /** Also what does not differ. */
  readonly all: boolean;
}

interface Listed extends Omit<Difference, 'state'> {
  readonly state: Difference['state'] | 'in-sync';
}

/** Pure but for the watch, which is only asked. Sorted, so that two looks can be compared. */
export function buildDrift({ cluster, pairs, view, watch, now, all }: DriftReportInput): Drift {
  const conflicts = view.conflicts.map((c) => ({
    ...refOfKey(c.key),
    winner: c.winner,
    losers: [...c.losers],
    since: timeOf(watch.ofConflict(c.key)),
    next: `keep one: delete it in ${c.losers.map(placeOf).join(' and ')}, or in ${placeOf(c.winner)}, or give it another name there`,
  }));
  const drifts = conflicts.length > 0 || pairs.some((p) => p.state === 'drift');
  return {
    cluster,
    time: new Date(now).toISOString(),
    state: drifts ? 'drift' : pairs.some((p) => p.state === 'unknown') ? 'unknown' : 'in-sync',
    pairs: pairs.map((pair) => pairItem(pair, cluster, watch)),
    objects: pairs.flatMap((pair) => [...pair.differences, ...(all ? others(pair) : [])].map((d) => objectItem(pair, d, watch))),
    conflicts,
  };
}

/** What of the owner's objects does not differ, or is not known to. */
function others({ listing, differences, why }: PairDrift): readonly Listed[] {
  const named = new Set(differences.map((d) => d.object));
  const known = why === '' && !named.has('');
  return [...(listing ?? [])]
    .filter(([object]) => !named.has(object))
    .map(([object, { version }]) => {
      const held = known ? { held: version } : {};
      return { object, count: 1, state: known ? ('in-sync' as const) : ('unknown' as const), expected: version, ...held, why: '' };
    });
}

/** Pure: of one pair, how many objects are in which state. */
export function countsOf(pair: PairDrift): readonly DriftCount[] {
  const { owner, cluster: holder, reference, held, state, differences } = pair;
  const total = reference?.objects ?? held?.objects ?? 0;
  const count = (name: string) => differences.filter((d) => d.state === name).reduce((sum, d) => sum + d.count, 0);
  const labels = { owner, holder };
  if (state === 'unknown') return [{ ...labels, state, objects: Math.max(1, total) }];
  const parts = ['lags', 'missing', 'refused', 'extra'].map((name) => ({ ...labels, state: name, objects: count(name) }));
  const off = parts.reduce((sum, p) => sum + (p.state === 'extra' ? 0 : p.objects), 0);
  return [{ ...labels, state: 'in-sync', objects: Math.max(0, total - off) }, ...parts];
}

function pairItem(pair: PairDrift, own: string, watch: DriftWatch): Drift['pairs'][number] {
  const { owner, cluster, state, held, reference, differences, why } = pair;
  return {
    owner,
    cluster,
    state,
    objects: held?.objects ?? null,
    ownerObjects: reference?.objects ?? null,
    revision: held?.revision ?? null,
    ownerRevision: reference?.revision ?? null,
    differing: differences.reduce((sum, d) => sum + d.count, 0),
    since: timeOf(watch.ofPair(pair)),
    why,
    next: adviceForPair(pair, own),
  };
}

function objectItem(pair: PairDrift, difference: Listed, watch: DriftWatch): DriftObject {
  const { owner, cluster } = pair;
  const { object, count, state, expected, held, why } = difference;
  const { source, ...ref } = nameParts(object);
  return {
    owner: { cluster: owner, source },
    ...ref,
    count,
    cluster,
    state,
    digest: expected ?? null,
    held: held ?? null,
    since: timeOf(watch.ofObject(pair, object)),
    why,
    next: adviceFor(pair, difference),
  };
}

/** SOURCE/GROUP/KIND/NAMESPACE/NAME, where a source may hold slashes. */
function nameParts(object: string) {
  const parts = object.split('/');
  const [group = '', kind = '', namespace = '', name = ''] = parts.slice(-4);
  return { source: parts.slice(0, -4).join('/'), group, kind, namespace, name };
}

function adviceForPair({ owner, cluster, state, held, reference }: PairDrift, own: string): string {
  if (state === 'in-sync') return '';
  const other = cluster === own ? owner : cluster;
  if (state === 'unknown') {
    // What is not known of two others is because one of them is not reachable from here.
    const lost = held?.current === false ? cluster : reference === undefined || held !== undefined ? owner : cluster;
    return `see isthmus peer list for ${lost === own ? other : lost}, and bring the connection back`;
  }
  return '';
}

function adviceFor({ owner, cluster }: PairDrift, { state }: Listed): string {
  switch (state) {
    case 'refused':
      return `change it in ${owner}, or what ${cluster} takes: the namespaces of its Peer for ${owner}, or its version`;
    case 'unknown':
    case 'in-sync':
      return '';
    default:
      return `it comes by itself where ${cluster} is connected to ${owner}: see isthmus peer list there, and the log if it stays`;
  }
}

function placeOf({ cluster, source }: { readonly cluster: string; readonly source: string }): string {
  return `${cluster} (${source})`;
}

function timeOf(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString();
}
