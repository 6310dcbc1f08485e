import type { Clock } from '../../core/clock.ts';
import type { ClusterRef, Routing } from '../../core/traffic/index.ts';
import { nativeTypeUrls } from '../../core/xds/index.ts';
import type { DataPlaneState, StateFeed, StateView } from '../../gateway/index.ts';

/** How long rules wait for what they lead to, at most: a resource that is refused never comes. ms */
const patienceMs = 5_000;

/** The xDS clusters that rules lead to, mirrors included. Pure. */
export function clustersOf({ virtualHosts, l4 }: Routing): ReadonlySet<string> {
  const names = new Set<string>();
  const add = (each: { readonly destination: ClusterRef }) => each.destination.cluster !== '' && names.add(each.destination.cluster);
  for (const { rules } of virtualHosts) {
    for (const { action } of rules) if (action.type === 'route') for (const each of [...action.destinations, ...action.mirrors]) add(each);
  }
  for (const { destinations } of l4) for (const each of destinations) add(each);
  return names;
}

/** Routings that listeners name, by the xDS cluster of the listener's port. Pure. */
export function routingNames({ listeners }: Pick<DataPlaneState, 'listeners'>): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const listener of listeners.values()) {
    if (listener.kind !== 'service') continue;
    for (const { clusterName, routingName } of listener.ports) if (routingName !== undefined) names.set(clusterName, routingName);
  }
  return names;
}

/**
 * Make before break, for a client that asks for what rules lead to only once it has the rules: the newest state, but each routing
 * in the version before until everything that it leads to has come, is known not to be for us, or was waited for long enough.
 */
export class SettledState implements StateView {
  readonly #feed: Pick<StateFeed, 'store' | 'onAnswer' | 'isAbsent'>;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  /** Since when each name has been followed, and each new version been held back. */
  readonly #followed = new Map<string, number>();
  readonly #held = new Map<string, { readonly routing: Routing; readonly since: number }>();
  #newest: DataPlaneState;
  #current: DataPlaneState;

  /** What is there at the beginning was settled when it was kept. */
  constructor(feed: Pick<StateFeed, 'store' | 'onAnswer' | 'isAbsent'>, clock: Clock) {
    this.#feed = feed;
    this.#clock = clock;
    this.#newest = feed.store.current;
    this.#current = this.#newest;
    feed.store.subscribe(() => this.refresh());
    feed.onAnswer(() => this.refresh());
  }

  get current(): DataPlaneState {
    return this.#current;
  }

  /** All that has come, settled or not. */
  get newest(): DataPlaneState {
    return this.#feed.store.current;
  }

  subscribe(listener: () => void): () => void {
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /** The routings that listeners name, all of them. */
  follow(names: ReadonlySet<string>): void {
    const now = this.#clock.monotonic();
    for (const name of this.#followed.keys()) if (!names.has(name)) this.#followed.delete(name);
    for (const name of names) if (!this.#followed.has(name)) this.#followed.set(name, now);
  }

  /** A listener that names it may open: its rules hold, or there are none to wait for. */
  isReady(name: string): boolean {
    if (this.#current.routings.has(name) || this.#feed.isAbsent(nativeTypeUrls.routing, name)) return true;
    return this.#clock.monotonic() - (this.#followed.get(name) ?? 0) >= patienceMs;
  }

  /** Also to be called now and then: patience ends with time alone. */
  refresh(): void {
    const newest = this.#feed.store.current;
    const before = this.#current.routings;
    const routings = this.#settle(newest, before);
    const same = routings.size === before.size && [...routings].every(([name, routing]) => before.get(name) === routing);
    if (same && newest === this.#newest) return;
    this.#newest = newest;
    this.#current = { ...newest, routings: same ? before : routings };
    for (const listener of [...this.#listeners]) listener();
  }

  #settle(newest: DataPlaneState, before: ReadonlyMap<string, Routing>): Map<string, Routing> {
    const routings = new Map<string, Routing>();
    for (const [name, routing] of newest.routings) {
      const old = before.get(name);
      const chosen = old === routing || this.#holds(name, routing, newest) ? routing : old;
      if (chosen !== undefined) routings.set(name, chosen);
      if (chosen === routing) this.#held.delete(name);
    }
    for (const name of this.#held.keys()) if (!newest.routings.has(name)) this.#held.delete(name);
    return routings;
  }

  #holds(name: string, routing: Routing, { clusters, assignments }: DataPlaneState): boolean {
    const { cluster: clusterUrl, loadAssignment } = nativeTypeUrls;
    const arrived = (each: string) =>
      (clusters.has(each) || this.#feed.isAbsent(clusterUrl, each)) && (assignments.has(each) || this.#feed.isAbsent(loadAssignment, each));
    if ([...clustersOf(routing)].every(arrived)) return true;
    const now = this.#clock.monotonic();
    const held = this.#held.get(name);
    if (held?.routing === routing) return now - held.since >= patienceMs;
    this.#held.set(name, { routing, since: now });
    return false;
  }
}
