import type { CallerCounts, Observation, SideCounts } from '../contract.ts';
import { countsBetween } from '../figures.ts';
import type { Sight } from './sight.ts';

interface Followed {
  /** As it was told last. */
  readonly sight: Sight;
  /** Since it was first told here. */
  readonly from: SideCounts;
  readonly to: SideCounts;
}

export interface Pooled {
  readonly from: SideCounts;
  readonly to: SideCounts;
  readonly callers: readonly CallerCounts[];
  readonly proxies: Omit<Observation['proxies'], 'missing' | 'known'> & {
    readonly heard: ReadonlySet<string>;
    /** Recorded callers that have an xDS stream at some replica. */
    readonly connected: ReadonlySet<string>;
  };
}

/**
 * What all replicas together know of one migration, for the one that leads it. Sums never fall: what a replica has counted stays when it is gone, and what it
 * had counted before this leader looked is nobody's step.
 */
export class Pool {
  readonly #followed = new Map<string, Followed>();

  /** `others`: by replica, those that are alive. Each call is one look. */
  look(own: Sight, others: ReadonlyMap<string, Sight>): Pooled {
    for (const [replica, sight] of others) this.#followed.set(replica, follow(this.#followed.get(replica), sight));
    const all = [...this.#followed.values()];
    return {
      from: sum([own.from, ...all.map(({ from }) => from)]),
      to: sum([own.to, ...all.map(({ to }) => to)]),
      callers: sumCallers([own, ...all.map(({ sight }) => sight)]),
      proxies: poolProxies([own, ...others.values()]),
    };
  }
}

function follow(before: Followed | undefined, sight: Sight): Followed {
  if (before === undefined) return { sight, from: none, to: none };
  return {
    sight,
    from: sum([before.from, countsBetween(before.sight.from, sight.from)]),
    to: sum([before.to, countsBetween(before.sight.to, sight.to)]),
  };
}

const none: SideCounts = { requests: 0, errors: 0, connections: 0, connectionErrors: 0, latency: new Map(), latencySumMs: 0 };

function sum(all: readonly SideCounts[]): SideCounts {
  const latency = new Map<number, number>();
  for (const each of all) for (const [bucket, n] of each.latency) latency.set(bucket, (latency.get(bucket) ?? 0) + n);
  const of = (key: Exclude<keyof SideCounts, 'latency'>) => all.reduce((total, each) => total + each[key], 0);
  return {
    requests: of('requests'),
    errors: of('errors'),
    connections: of('connections'),
    connectionErrors: of('connectionErrors'),
    latency,
    latencySumMs: of('latencySumMs'),
  };
}

function sumCallers(all: readonly Sight[]): readonly CallerCounts[] {
  const callers = new Map<string, CallerCounts>();
  for (const each of all.flatMap((sight) => sight.callers)) {
    const key = `${each.cluster} ${each.source}`;
    const before = callers.get(key) ?? { ...each, from: 0, to: 0 };
    callers.set(key, { ...before, from: before.from + each.from, to: before.to + each.to });
  }
  return [...callers.values()];
}

/** Whom one replica misses has gone over to another, where that one has heard of it. */
function poolProxies(all: readonly Sight[]): Pooled['proxies'] {
  const heard = new Set(all.flatMap(({ proxies }) => proxies.heard));
  const silent = new Set(all.flatMap(({ proxies }) => proxies.silent).filter((name) => !heard.has(name)));
  return {
    callers: all.reduce((total, { proxies }) => total + proxies.callers, 0),
    heard,
    silent: [...silent],
    behind: [...new Set(all.flatMap(({ proxies }) => proxies.behind))],
    connected: new Set(all.flatMap(({ proxies }) => proxies.connected ?? proxies.heard)),
  };
}
