import { Agent } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Timed } from '../deadlines.ts';
import type { EndpointState } from '../state/index.ts';
import type { Lease } from './spread.ts';

export interface ConnectionUse {
  /** Fingerprint of what was proven there; empty: nothing was. */
  readonly backend: string;
  readonly lease: Lease;
  /** How long it is kept unused. */
  readonly idleMs: number;
  /** When the kernel first asks whether the other end of an unused one is there; absent: after a second. */
  readonly keepAliveMs: number | undefined;
  /** An answer was whole, and the connection can be used again. */
  readonly onFree: (self: UpstreamConnection) => void;
  readonly onFailed: (self: UpstreamConnection) => void;
}

/** One connection, serving one request at a time through an agent of its own, which knows when an answer leaves it usable. */
export class UpstreamConnection implements Timed {
  readonly socket: Duplex;
  readonly agent: Agent;
  readonly endpoint: EndpointState;
  readonly backend: string;
  readonly lease: Lease;
  readonly idleMs: number;
  deadline = Number.POSITIVE_INFINITY;
  slot: number | undefined;
  /** Monotonic ms. */
  idleSince = 0;
  /** Requests that it was taken for. */
  served = 0;
  readonly #onFailed: (self: UpstreamConnection) => void;
  #onGone: (() => void) | undefined;

  constructor(socket: Duplex, endpoint: EndpointState, { backend, lease, idleMs, keepAliveMs, onFree, onFailed }: ConnectionUse) {
    this.socket = socket;
    this.endpoint = endpoint;
    this.backend = backend;
    this.lease = lease;
    this.idleMs = idleMs;
    this.#onFailed = onFailed;
    this.agent = new OneSocketAgent(socket, keepAliveMs);
    socket.on('error', () => {});
    this.agent.on('free', () => {
      if (!socket.destroyed) onFree(this);
    });
  }

  /** Idle from now on. `onGone`: it closed by itself. */
  park(now: number, onGone: () => void): void {
    this.idleSince = now;
    this.deadline = now + this.idleMs;
    this.#onGone = onGone;
    for (const event of ['data', 'end', 'close']) this.socket.on(event, this.#gone);
    this.socket.resume();
  }

  /** For one request. False: it has closed meanwhile. */
  take(): boolean {
    this.#unpark();
    this.served += 1;
    return !this.socket.destroyed && this.socket.writable;
  }

  expire(): void {
    this.#gone();
  }

  /** Ends it, because of what became of a request. */
  fail(): void {
    this.destroy();
    this.#onFailed(this);
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

  constructor(socket: Duplex, keepAliveMsecs = 1_000) {
    super({ keepAlive: true, keepAliveMsecs, maxSockets: 1, maxFreeSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(): Duplex {
    return this.#socket;
  }
}
