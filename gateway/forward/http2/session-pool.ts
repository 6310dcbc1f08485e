import { Deadlines } from '../../deadlines.ts';
import { type AttemptFailure, type ClusterTable, ejectionKey } from '../../engine/index.ts';
import type { EndpointState } from '../../state/index.ts';
import { idleMsOf, routeKey, sharedKey } from '../route-key.ts';
import { leadsToOneOfMany, leaseOf, shorter, wantsAnother } from '../spread.ts';
import { Suspects } from '../suspects.ts';
import type { UpstreamPoolOptions } from '../upstream-pool.ts';
import { UpstreamSession } from './upstream-session.ts';

export type AcquiredSession =
  | { readonly ok: true; readonly session: UpstreamSession; readonly reused: boolean }
  | { readonly ok: false; readonly failure: AttemptFailure; readonly reason: string };

export interface SessionPoolOptions extends UpstreamPoolOptions {
  readonly maxHeaderBytes: number;
}

/** What leads to one endpoint. */
interface Route {
  readonly key: string;
  /** In the order of their last use. */
  readonly sessions: UpstreamSession[];
  readonly random: number;
  readonly suspects: Suspects;
  opened: number;
  /** All who want another share it. */
  opening: Promise<AcquiredSession> | undefined;
  readonly abort: AbortController;
  /** Monotonic ms; after one could not be opened that nobody waited for. */
  openAgainAt: number;
  /** Requests for which no connection may be opened; the first gets the next stream that is free. */
  readonly waiting: (() => void)[];
}

const openAgainAfterMs = 1_000;

/** HTTP/2 connections by endpoint, what was proven there, and as whom we came; one for each endpoint, and a few through a gateway (see spread.ts). */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #deadlines: Deadlines;
  readonly #routes = new Map<string, Route>();
  #closed = false;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
  }

  /** `fresh`: none that stands, because one may be dying, or may lead to the backend that just failed. */
  acquire(cluster: ClusterTable, endpoint: EndpointState, fresh: boolean): AcquiredSession | Promise<AcquiredSession> {
    const route = this.#routeOf(this.#keyOf(cluster, endpoint));
    const session = fresh ? undefined : this.#take(route);
    if (session === undefined) return this.#open(route, cluster, endpoint, !fresh);
    if (wantsAnother(endpoint, route.sessions.length - 1, this.#options.limits)) this.#openAnother(route, cluster, endpoint);
    return { ok: true, session, reused: true };
  }

  /** One that stands takes a stream; if not, one is opened for later. */
  isReady(cluster: ClusterTable, endpoint: EndpointState): boolean {
    const route = this.#routeOf(this.#keyOf(cluster, endpoint));
    if (route.sessions.some(({ usable }) => usable)) return true;
    this.#openAnother(route, cluster, endpoint);
    return false;
  }

  /** What else leads to the same backend would fail the next requests. */
  failed({ use: { backend, endpoint } }: UpstreamSession): void {
    if (backend === '' || !leadsToOneOfMany(endpoint)) return;
    for (const route of this.#routes.values()) {
      const leading = route.sessions.filter((each) => each.use.backend === backend);
      if (leading.length === 0) continue;
      route.suspects.add(backend, this.#options.clock.monotonic());
      for (const each of leading) each.retire();
    }
  }

  /** Sessions to what is gone or refuses new connections, and all when our identity changed, take no more streams. */
  keepOnly(clusters: ReadonlyMap<string, ClusterTable>, ejected: ReadonlySet<string>): void {
    if (this.#routes.size === 0) return;
    const wanted = new Set<string>();
    for (const [name, cluster] of clusters) {
      for (const each of cluster.endpoints)
        if (!each.draining && !ejected.has(ejectionKey(name, each))) wanted.add(this.#keyOf(cluster, each));
    }
    for (const [key, route] of this.#routes) {
      if (wanted.has(sharedKey(key))) continue;
      this.#routes.delete(key);
      for (const session of [...route.sessions]) session.retire();
    }
  }

  /** No stream after those that are open. Idempotent. */
  close(): void {
    this.#closed = true;
    this.keepOnly(new Map(), new Set());
  }

  /** Nobody waits for it. */
  #openAnother(route: Route, cluster: ClusterTable, endpoint: EndpointState): void {
    const { clock } = this.#options;
    if (this.#closed || route.opening !== undefined || clock.monotonic() < route.openAgainAt) return;
    void this.#dial(route, cluster, endpoint).then(({ ok }) => {
      if (!ok) route.openAgainAt = clock.monotonic() + openAgainAfterMs;
    });
  }

  /** In turn: sessions through one gateway lead to different backends. */
  #take({ sessions }: Route): UpstreamSession | undefined {
    for (let i = 0; i < sessions.length; i++) {
      const session = sessions[i];
      if (session === undefined || !session.usable) continue;
      if (i < sessions.length - 1) sessions.push(...sessions.splice(i, 1));
      return session;
    }
    return undefined;
  }

  async #open(route: Route, cluster: ClusterTable, endpoint: EndpointState, share: boolean): Promise<AcquiredSession> {
    for (;;) {
      const opened = await (route.opening ?? this.#dial(route, cluster, endpoint));
      if (!opened.ok && opened.failure === 'overflow') return this.#wait(route, cluster, endpoint);
      if (!opened.ok || opened.session.usable) return opened;
      // Others who waited have filled it.
      const session = share ? this.#take(route) : undefined;
      if (session !== undefined) return { ok: true, session, reused: true };
    }
  }

  /** While it was being refused a stream may have become free, or the last connection may have closed. */
  #wait(route: Route, cluster: ClusterTable, endpoint: EndpointState): AcquiredSession | Promise<AcquiredSession> {
    if (route.sessions.length === 0 || route.sessions.some(({ usable }) => usable)) return this.acquire(cluster, endpoint, false);
    const leave = this.#options.wait(cluster);
    if (leave === undefined) return { ok: false, failure: 'overflow', reason: 'as many requests wait as may' };
    return new Promise((resolve) => {
      route.waiting.push(() => {
        leave();
        resolve(this.acquire(cluster, endpoint, false));
      });
    });
  }

  #dial(route: Route, cluster: ClusterTable, endpoint: EndpointState): Promise<AcquiredSession> {
    const opening = this.#dialSound(route, cluster, endpoint).finally(() => {
      if (route.opening === opening) route.opening = undefined;
    });
    route.opening = opening;
    return opening;
  }

  /** Once more when it leads to a backend that lately failed; what comes then is used, since all may have failed. */
  async #dialSound(route: Route, cluster: ClusterTable, endpoint: EndpointState): Promise<AcquiredSession> {
    const { clock, dial } = this.#options;
    const { name: clusterName, connectTimeoutMs } = cluster;
    const always = route.sessions.length === 0;
    const request = { clusterName, endpoint, connectTimeoutMs, alpn: ['h2'], signal: route.abort.signal, always };
    const first = await dial(request);
    if (!first.ok) return first;
    if (!route.suspects.has(first.peer?.fingerprint ?? '', clock.monotonic())) return this.#opened(route, cluster, endpoint, first);
    const second = await dial(request);
    if (!second.ok) return this.#opened(route, cluster, endpoint, first);
    first.socket.destroy();
    return this.#opened(route, cluster, endpoint, second);
  }

  #opened(
    route: Route,
    { traffic }: ClusterTable,
    endpoint: EndpointState,
    { socket, peer }: Extract<Awaited<ReturnType<SessionPoolOptions['dial']>>, { ok: true }>,
  ): AcquiredSession {
    const { clock, limits, maxHeaderBytes } = this.#options;
    const now = clock.monotonic();
    const lease = shorter(leaseOf(endpoint, limits, { now, before: route.opened, random: route.random }), traffic?.connections, now);
    route.opened += 1;
    const session = new UpstreamSession(socket, {
      endpoint,
      backend: peer?.fingerprint ?? '',
      lease,
      maxHeaderBytes,
      idleMs: idleMsOf(traffic, limits, endpoint),
      now: () => clock.monotonic(),
      onFree: () => wake(route),
      onGone: (self) => {
        this.#deadlines.forget(self);
        const at = route.sessions.indexOf(self);
        if (at >= 0) route.sessions.splice(at, 1);
        // There is room for another.
        wake(route);
        // One caller's, who may never come again.
        const unused = route.sessions.length === 0 && route.opening === undefined;
        if (unused && sharedKey(route.key) !== route.key) this.#routes.delete(route.key);
      },
    });
    // The next one in turn.
    route.sessions.unshift(session);
    this.#deadlines.watch(session);
    return { ok: true, session, reused: false };
  }

  #routeOf(key: string): Route {
    const known = this.#routes.get(key);
    if (known !== undefined) return known;
    const route: Route = {
      key,
      sessions: [],
      random: this.#options.random(),
      suspects: new Suspects(),
      opened: 0,
      opening: undefined,
      abort: new AbortController(),
      openAgainAt: 0,
      waiting: [],
    };
    if (!this.#closed) this.#routes.set(key, route);
    return route;
  }

  #keyOf(cluster: ClusterTable, endpoint: EndpointState): string {
    return routeKey(this.#options.identity(), cluster, endpoint);
  }
}

/** All of them: some may have been given up meanwhile. Who finds nothing waits again. */
function wake({ waiting }: Route): void {
  for (const again of waiting.splice(0)) again();
}
