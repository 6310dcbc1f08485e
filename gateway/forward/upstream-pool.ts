import { Agent } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import { Deadlines, type Timed } from '../deadlines.ts';
import { type AttemptFailure, type ClusterTable, type DialRequest, type DialResult, ejectionKey } from '../engine/index.ts';
import type { EndpointState } from '../state/index.ts';

export type Acquired =
  | { readonly ok: true; readonly connection: UpstreamConnection; readonly reused: boolean }
  | { readonly ok: false; readonly failure: AttemptFailure; readonly reason: string };

export interface UpstreamPoolOptions {
  readonly clock: Clock;
  readonly dial: (request: DialRequest) => Promise<DialResult>;
  /** Names our own identity: connections proven with an older SVID are not used again. */
  readonly identity: () => string;
  readonly maxIdlePerEndpoint: number;
  readonly idleConnectionMs: number;
}

/** Idle HTTP/1.1 connections by endpoint, what was proven there, and as whom we came. */
export class UpstreamPool {
  readonly #options: UpstreamPoolOptions;
  readonly #deadlines: Deadlines;
  readonly #idle = new Map<string, UpstreamConnection[]>();
  #closed = false;

  constructor(options: UpstreamPoolOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
  }

  /**
   * `maxIdleMs`: no connection that has been idle for longer; 0: a new one, because one that was used may lead to the same
   * backend again, or may be dying.
   */
  async acquire(cluster: ClusterTable, endpoint: EndpointState, maxIdleMs: number, signal: AbortSignal): Promise<Acquired> {
    const key = this.#keyOf(cluster.name, endpoint);
    // The one that waited longest: connections through one gateway lead to different backends, and all of them should serve.
    const since = maxIdleMs > 0 ? this.#options.clock.monotonic() - maxIdleMs : Number.POSITIVE_INFINITY;
    const idle = this.#idle.get(key) ?? [];
    for (let at = idle.findIndex((each) => each.idleSince >= since); at >= 0; at = idle.findIndex((each) => each.idleSince >= since)) {
      const [connection] = idle.splice(at, 1);
      if (connection === undefined) break;
      this.#deadlines.forget(connection);
      if (connection.take()) return { ok: true, connection, reused: true };
    }
    const { connectTimeoutMs, name: clusterName } = cluster;
    const dialled = await this.#options.dial({ clusterName, endpoint, connectTimeoutMs, alpn: ['http/1.1'], signal });
    if (!dialled.ok) return dialled;
    const connection = new UpstreamConnection(dialled.socket, endpoint, (self) => this.#park(key, self));
    return { ok: true, connection, reused: false };
  }

  /**
   * Closes idle connections to what is gone or refuses new ones (those that stand may be cut off without knowing), and all when
   * our identity changed; those in use close when they are done.
   */
  keepOnly(clusters: ReadonlyMap<string, ClusterTable>, ejected: ReadonlySet<string>): void {
    if (this.#idle.size === 0) return;
    const wanted = new Set<string>();
    for (const [name, { endpoints }] of clusters) {
      for (const each of endpoints) if (!each.draining && !ejected.has(ejectionKey(name, each))) wanted.add(this.#keyOf(name, each));
    }
    for (const [key, idle] of this.#idle) {
      if (wanted.has(key)) continue;
      this.#idle.delete(key);
      for (const connection of idle) this.#discard(connection);
    }
  }

  /** Closes idle connections, and the others when they are done. Idempotent. */
  close(): void {
    this.#closed = true;
    this.keepOnly(new Map(), new Set());
  }

  #park(key: string, connection: UpstreamConnection): void {
    const idle = this.#idle.get(key) ?? [];
    if (this.#closed || idle.length >= this.#options.maxIdlePerEndpoint || !key.startsWith(`${this.#options.identity()} `)) {
      this.#discard(connection);
      return;
    }
    connection.park(this.#options.clock.monotonic(), this.#options.idleConnectionMs, () => {
      this.#deadlines.forget(connection);
      const left = (this.#idle.get(key) ?? []).filter((each) => each !== connection);
      if (left.length === 0) this.#idle.delete(key);
      else this.#idle.set(key, left);
    });
    this.#idle.set(key, [...idle, connection]);
    this.#deadlines.watch(connection);
  }

  #discard(connection: UpstreamConnection): void {
    this.#deadlines.forget(connection);
    connection.destroy();
  }

  #keyOf(clusterName: string, { address, port, tls }: EndpointState): string {
    return `${this.#options.identity()} ${clusterName} ${address}:${port} ${tls?.sni ?? ''} ${tls?.clusterSan ?? ''} ${tls?.uriSans.join() ?? ''}`;
  }
}

/** One connection, serving one request at a time through an agent of its own, which knows when an answer leaves it usable. */
export class UpstreamConnection implements Timed {
  readonly socket: Duplex;
  readonly agent: Agent;
  readonly endpoint: EndpointState;
  deadline = Number.POSITIVE_INFINITY;
  /** Monotonic ms. */
  idleSince = 0;
  #onGone: (() => void) | undefined;

  constructor(socket: Duplex, endpoint: EndpointState, onFree: (self: UpstreamConnection) => void) {
    this.socket = socket;
    this.endpoint = endpoint;
    this.agent = new OneSocketAgent(socket);
    socket.on('error', () => {});
    this.agent.on('free', () => {
      if (!socket.destroyed) onFree(this);
    });
  }

  /** Idle from now on. `onGone`: it closed by itself. */
  park(now: number, idleMs: number, onGone: () => void): void {
    this.idleSince = now;
    this.deadline = now + idleMs;
    this.#onGone = onGone;
    for (const event of ['data', 'end', 'close']) this.socket.on(event, this.#gone);
    this.socket.resume();
  }

  /** False: it has closed meanwhile. */
  take(): boolean {
    this.#unpark();
    return !this.socket.destroyed && this.socket.writable;
  }

  expire(): void {
    this.#gone();
  }

  destroy(): void {
    this.#unpark();
    this.agent.destroy();
    this.socket.destroy();
  }

  readonly #gone = (): void => {
    const onGone = this.#onGone;
    this.destroy();
    onGone?.();
  };

  #unpark(): void {
    this.deadline = Number.POSITIVE_INFINITY;
    this.#onGone = undefined;
    for (const event of ['data', 'end', 'close']) this.socket.off(event, this.#gone);
  }
}

class OneSocketAgent extends Agent {
  readonly #socket: Duplex;

  constructor(socket: Duplex) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(): Duplex {
    return this.#socket;
  }
}
