import type { Clock } from '../../core/clock.ts';
import type { HttpLimits } from '../context.ts';
import { Deadlines } from '../deadlines.ts';
import { type ClusterTable, type DialRequest, type DialResult, ejectionKey } from '../engine/index.ts';
import type { EndpointState } from '../state/index.ts';
import { idleMsOf, routeKey, sharedKey } from './route-key.ts';
import { isOver, leadsToOneOfMany, leaseOf, type SpreadLimits, shorter, wantsAnother } from './spread.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import { type Acquired, newRoute, type Route } from './upstream-route.ts';

export interface UpstreamPoolOptions {
  readonly clock: Clock;
  readonly dial: (request: DialRequest) => Promise<DialResult>;
  /** Names our own identity: connections proven with an older SVID are not used again. */
  readonly identity: () => string;
  readonly limits: SpreadLimits & Pick<HttpLimits, 'maxIdlePerEndpoint' | 'idleConnectionMs'>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** A request is to wait for a connection; undefined: it may not. */
  readonly wait: (cluster: ClusterTable) => (() => void) | undefined;
}

const openAgainAfterMs = 1_000;

/** Idle HTTP/1.1 connections by endpoint, what was proven there, and as whom we came. */
export class UpstreamPool {
  readonly #options: UpstreamPoolOptions;
  readonly #deadlines: Deadlines;
  readonly #routes = new Map<string, Route>();
  #closed = false;

  constructor(options: UpstreamPoolOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
  }

  /**
   * `maxIdleMs`: no connection that has been idle for longer; 0: a new one, because one that was used may lead to the same
   * backend again, or may be dying. `signal`: only asked for when one is dialled.
   */
  async acquire(cluster: ClusterTable, endpoint: EndpointState, maxIdleMs: number, signal: () => AbortSignal): Promise<Acquired> {
    const route = this.#routeOf(this.#keyOf(cluster, endpoint));
    const free = this.#takeIdle(route, cluster, endpoint, maxIdleMs);
    if (free !== undefined) return free;
    // As in Envoy, who waits for a handshake is pending too.
    const leave = this.#options.wait(cluster);
    if (leave === undefined) return { ok: false, failure: 'overflow', reason: 'as many requests wait as may' };
    try {
      return await this.#connect(route, cluster, endpoint, maxIdleMs, signal());
    } finally {
      leave();
    }
  }

  #takeIdle(route: Route, cluster: ClusterTable, endpoint: EndpointState, maxIdleMs: number): Acquired | undefined {
    // The one that waited longest: connections through one gateway lead to different backends, and all of them should serve.
    const since = maxIdleMs > 0 ? this.#options.clock.monotonic() - maxIdleMs : Number.POSITIVE_INFINITY;
    const { idle } = route;
    for (let at = idle.findIndex((each) => each.idleSince >= since); at >= 0; at = idle.findIndex((each) => each.idleSince >= since)) {
      const [connection] = idle.splice(at, 1);
      if (connection === undefined) break;
      this.#deadlines.forget(connection);
      if (!connection.take()) continue;
      if (wantsAnother(endpoint, idle.length, this.#options.limits)) void this.#openAnother(route, cluster, endpoint);
      return { ok: true, connection, reused: true };
    }
    return undefined;
  }

  async #connect(route: Route, cluster: ClusterTable, endpoint: EndpointState, maxIdleMs: number, signal: AbortSignal): Promise<Acquired> {
    if (maxIdleMs > 0 && route.standing > 0) return this.#soonest(route, cluster, endpoint, signal);
    const dialled = await this.#dialSound(route, cluster, endpoint, signal);
    if (!dialled.ok) return dialled.failure === 'overflow' ? this.#wait(route, cluster, endpoint, signal) : dialled;
    dialled.connection.take();
    return { ...dialled, reused: false };
  }

  /** One that stands is free; if not, one is opened for later, one at a time. */
  isReady(cluster: ClusterTable, endpoint: EndpointState): boolean {
    const route = this.#routeOf(this.#keyOf(cluster, endpoint));
    if (route.idle.some(({ socket }) => !socket.destroyed)) return true;
    void this.#openAnother(route, cluster, endpoint);
    return false;
  }

  /** By whichever comes first: one of its own, or one that another request is done with. Its own is then kept for the next. */
  #soonest(route: Route, cluster: ClusterTable, endpoint: EndpointState, signal: AbortSignal): Promise<Acquired> {
    return route.hurry.enter({
      signal,
      gone: { ok: false, failure: 'aborted', reason: 'the caller went away' },
      standing: () => route.standing,
      open: async (served) => {
        // Not given up with its request: a handshake that was begun is worth its end to the next.
        const dialled = await this.#dialSound(route, cluster, endpoint, new AbortController().signal);
        if (!dialled.ok) return dialled.failure === 'overflow' && !served() ? this.#wait(route, cluster, endpoint, signal) : dialled;
        dialled.connection.take();
        if (served()) this.#park(route, dialled.connection);
        return { ...dialled, reused: false };
      },
      isUnreachable: (acquired) => !acquired.ok && acquired.failure === 'connect',
    });
  }

  /**
   * Closes idle connections to what is gone or refuses new ones (those that stand may be cut off without knowing), and all when
   * our identity changed; those in use close when they are done.
   */
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
      route.opening?.abort();
      if (key.startsWith(`${this.#options.identity()} `))
        route.hurry.failUnbegun({ ok: false, failure: 'connect', reason: 'not to be used any more' });
      else route.hurry.openAll();
      for (const connection of route.idle.splice(0)) this.#discard(connection);
    }
  }

  /** Closes idle connections, and the others when they are done. Idempotent. */
  close(): void {
    this.#closed = true;
    this.keepOnly(new Map(), new Set());
  }

  /** No request waits for it: the next ones find it idle. That it failed says nothing that a request would not find out. */
  async #openAnother(route: Route, cluster: ClusterTable, endpoint: EndpointState): Promise<void> {
    const { clock, limits } = this.#options;
    const full = route.idle.length >= limits.maxIdlePerEndpoint;
    if (full || this.#closed || route.opening !== undefined || clock.monotonic() < route.openAgainAt) return;
    const opening = new AbortController();
    route.opening = opening;
    const dialled = await this.#dial(route, cluster, endpoint, opening.signal);
    route.opening = undefined;
    const sound = dialled.ok && !route.suspects.has(dialled.connection.backend, clock.monotonic());
    if (!sound) route.openAgainAt = clock.monotonic() + openAgainAfterMs;
    if (!dialled.ok) return;
    if (sound) this.#park(route, dialled.connection);
    else this.#discard(dialled.connection);
  }

  /** Once more when it leads to a backend that lately failed; what comes then is used, since all may have failed. */
  async #dialSound(route: Route, cluster: ClusterTable, endpoint: EndpointState, signal: AbortSignal) {
    const first = await this.#dial(route, cluster, endpoint, signal);
    if (!first.ok || !route.suspects.has(first.connection.backend, this.#options.clock.monotonic())) return first;
    const second = await this.#dial(route, cluster, endpoint, signal);
    if (!second.ok) return first;
    this.#discard(first.connection);
    return second;
  }

  async #dial(route: Route, { name: clusterName, connectTimeoutMs, traffic }: ClusterTable, endpoint: EndpointState, signal: AbortSignal) {
    const { clock, dial, limits } = this.#options;
    const always = route.standing === 0;
    route.standing += 1;
    const dialled = await dial({ clusterName, endpoint, connectTimeoutMs, alpn: ['http/1.1'], signal, always });
    if (!dialled.ok && dialled.failure === 'overflow') route.standing -= 1;
    else if (!dialled.ok || dialled.socket.closed) this.#madeRoom(route);
    else dialled.socket.once('close', () => this.#madeRoom(route));
    if (!dialled.ok) return dialled;
    const now = clock.monotonic();
    const lease = shorter(leaseOf(endpoint, limits, { now, before: route.opened, random: route.random }), traffic?.connections, now);
    route.opened += 1;
    const connection = new UpstreamConnection(dialled.socket, endpoint, {
      backend: dialled.peer?.fingerprint ?? '',
      lease,
      idleMs: idleMsOf(traffic, limits, endpoint),
      keepAliveMs: traffic?.connections?.tcpKeepalive?.timeMs,
      onFree: (self) => this.#served(route, self),
      onFailed: (self) => this.#failed(route, self),
    });
    return { ok: true as const, connection };
  }

  #served(route: Route, connection: UpstreamConnection): void {
    route.suspects.clear(connection.backend);
    this.#park(route, connection);
  }

  /** What else leads to the same backend would fail the next requests. */
  #failed(route: Route, { backend, endpoint }: UpstreamConnection): void {
    if (backend === '' || !leadsToOneOfMany(endpoint)) return;
    route.suspects.add(backend, this.#options.clock.monotonic());
    for (const each of route.idle.filter((idle) => idle.backend === backend)) {
      route.idle.splice(route.idle.indexOf(each), 1);
      this.#discard(each);
    }
  }

  #park(route: Route, connection: UpstreamConnection): void {
    const { clock, limits } = this.#options;
    const now = clock.monotonic();
    const unwanted = this.#closed || this.#routes.get(route.key) !== route || !route.key.startsWith(`${this.#options.identity()} `);
    if (unwanted || route.idle.length >= limits.maxIdlePerEndpoint || isOver(connection.lease, connection.served, now)) {
      this.#discard(connection);
      return;
    }
    const next = route.waiting.shift();
    if (next !== undefined) {
      if (connection.take()) next.resolve({ ok: true, connection, reused: true });
      else next.again();
      return;
    }
    if (route.hurry.waits && connection.take()) {
      route.hurry.give({ ok: true, connection, reused: true });
      return;
    }
    connection.park(now, () => {
      this.#deadlines.forget(connection);
      const at = route.idle.indexOf(connection);
      if (at >= 0) route.idle.splice(at, 1);
    });
    route.idle.push(connection);
    this.#deadlines.watch(connection);
  }

  #routeOf(key: string): Route {
    const known = this.#routes.get(key);
    if (known !== undefined) return known;
    const route = newRoute(key, this.#options.random());
    if (!this.#closed) this.#routes.set(key, route);
    return route;
  }

  /** For who is let in as one that waits. */
  #again(cluster: ClusterTable, endpoint: EndpointState, maxIdleMs: number, signal: AbortSignal): Acquired | Promise<Acquired> {
    const route = this.#routeOf(this.#keyOf(cluster, endpoint));
    return this.#takeIdle(route, cluster, endpoint, maxIdleMs) ?? this.#connect(route, cluster, endpoint, maxIdleMs, signal);
  }

  /** For a connection that is free, or has closed and makes room for another. */
  #wait(route: Route, cluster: ClusterTable, endpoint: EndpointState, signal: AbortSignal): Acquired | Promise<Acquired> {
    // While it was being refused one may have become free, or the last may have closed.
    if (route.idle.length > 0 || route.standing === 0) return this.#again(cluster, endpoint, this.#options.limits.idleConnectionMs, signal);
    if (signal.aborted) return Promise.resolve({ ok: false, failure: 'aborted', reason: 'the caller went away' });
    return new Promise((resolve) => {
      const settle = (acquired: Acquired | Promise<Acquired>) => {
        signal.removeEventListener('abort', onAbort);
        resolve(acquired);
      };
      const waiting = { resolve: settle, again: () => settle(this.#again(cluster, endpoint, 0, signal)) };
      const onAbort = () => {
        route.waiting.splice(route.waiting.indexOf(waiting), 1);
        settle({ ok: false, failure: 'aborted', reason: 'the caller went away' });
      };
      signal.addEventListener('abort', onAbort, { once: true });
      route.waiting.push(waiting);
    });
  }

  #madeRoom(route: Route): void {
    route.standing -= 1;
    route.waiting.shift()?.again();
    // One caller's, who may never come again.
    const unused = route.standing === 0 && route.waiting.length === 0 && !route.hurry.waits;
    if (unused && sharedKey(route.key) !== route.key) this.#routes.delete(route.key);
  }

  #discard(connection: UpstreamConnection): void {
    this.#deadlines.forget(connection);
    connection.destroy();
  }

  #keyOf(cluster: ClusterTable, endpoint: EndpointState): string {
    return routeKey(this.#options.identity(), cluster, endpoint);
  }
}
