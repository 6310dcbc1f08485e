import type { Drift, DriftSummary } from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import { DriftWatch, findDrift, type HeldAs, type Holding, type Pair, type PairDrift } from '../drift/index.ts';
import type { Objects } from '../objects/index.ts';
import type { PeerObjectsReport, SharedSet } from '../peering/index.ts';
import { buildDrift, countsOf } from './drift-report.ts';
import type { DriftCount } from './metrics.ts';

/** How often it is looked whether something differs, so that it is known since when. */
const lookMs = 5_000;

export interface DriftOptions {
  readonly cluster: string;
  readonly peers: { shared(): SharedSet | undefined; objects(): readonly PeerObjectsReport[] };
  readonly objects: Pick<Objects, 'set'>;
  readonly clock: Clock;
}

/** Who holds which shared objects, and since when not as their owner has them. */
export class DriftHome {
  readonly #options: DriftOptions;
  readonly #watch = new DriftWatch();

  constructor(options: DriftOptions) {
    this.#options = options;
  }

  /** Looks now and then, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        this.#look();
        await this.#options.clock.sleep(lookMs, signal);
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }

  /** `all`: also what does not differ. */
  report(all: boolean): Drift {
    const { cluster, clock, objects } = this.#options;
    return buildDrift({ cluster, pairs: this.#look(), view: objects.set.current(), watch: this.#watch, now: clock.now(), all });
  }

  summary(): DriftSummary {
    const { state, pairs, objects, conflicts } = this.report(false);
    const differing = objects.reduce((sum, o) => sum + (o.state === 'unknown' ? 0 : o.count), 0);
    return { state, differing, unknown: pairs.filter((p) => p.state === 'unknown').length, conflicts: conflicts.length };
  }

  counts(): readonly DriftCount[] {
    return this.#look().flatMap(countsOf);
  }

  #look(): readonly PairDrift[] {
    const { cluster, peers, objects, clock } = this.#options;
    const found = driftOf(cluster, peers.shared(), peers.objects());
    this.#watch.saw(
      found,
      objects.set.current().conflicts.map((c) => c.key),
      clock.now(),
    );
    return found;
  }
}

/** Pure. Of this cluster's objects and its peers'; what peers say of those that are no peers of this cluster cannot be judged here. */
function driftOf(cluster: string, shared: SharedSet | undefined, peers: readonly PeerObjectsReport[]): readonly PairDrift[] {
  const known = new Set([cluster, ...peers.map((p) => p.cluster)]);
  const own: Holding[] = shared === undefined ? [] : [ownHolding(cluster, shared)];
  const held = peers.flatMap((peer) => heldHere(cluster, peer));
  const said = peers.flatMap((peer) => [...peer.states.keys()].filter((owner) => known.has(owner)).map((owner) => saidBy(peer, owner)));
  const pairs = new Map<string, Pair>();
  for (const { owner, cluster: holder } of said) if (owner !== holder) pairs.set(`${owner} ${holder}`, { owner, cluster: holder });
  for (const peer of peers) {
    pairs.set(`${cluster} ${peer.cluster}`, { owner: cluster, cluster: peer.cluster });
    pairs.set(`${peer.cluster} ${cluster}`, { owner: peer.cluster, cluster });
  }
  return findDrift([...pairs.values()], [...own, ...held, ...said]);
}

const ownNames = new WeakMap<SharedSet, ReadonlyMap<string, HeldAs>>();

function ownHolding(cluster: string, shared: SharedSet): Holding {
  const { revision, hash, objects } = shared.state;
  const named = ownNames.get(shared) ?? new Map(shared.resources.map((r) => [r.name, { version: r.version, refused: false }]));
  ownNames.set(shared, named);
  return { owner: cluster, cluster, current: true, revision, hash, objects, refusedObjects: 0, named };
}

function heldHere(cluster: string, { cluster: owner, held }: PeerObjectsReport): readonly Holding[] {
  if (held === undefined) return [];
  const { revision, hash, objects, refused } = held.state;
  const { versions } = held;
  const reasons = new Map(refused.map((r) => [r.object, r.reason]));
  const named = new Map([...versions].map(([name, version]) => [name, heldAs(version, reasons.has(name), reasons.get(name))]));
  return [{ owner, cluster, current: true, revision, hash, objects, refusedObjects: refused.length, named }];
}

function saidBy({ cluster, current, states, named }: PeerObjectsReport, owner: string): Holding {
  const { revision = 0, hash = '', objects = 0, refusedObjects = 0, refused = [] } = states.get(owner) ?? {};
  const said = { owner, cluster, current, revision, hash, objects, refusedObjects };
  const names = named.get(owner);
  if (names === undefined) return said;
  const reasons = new Map(refused.map((r) => [r.object, r.reason]));
  const all = [...names].map(([name, h]): [string, HeldAs] => [name, heldAs(h.version, h.refused, reasons.get(name))]);
  return { ...said, named: new Map(all) };
}

function heldAs(version: string, refused: boolean, reason: string | undefined): HeldAs {
  return { version, refused, ...(reason === undefined ? {} : { reason }) };
}
