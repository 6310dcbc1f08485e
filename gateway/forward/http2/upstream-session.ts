import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Timed } from '../../deadlines.ts';
import type { EndpointState } from '../../state/index.ts';
import { isOver, type Lease } from '../spread.ts';
import { Http2Body } from './incoming-body.ts';
import { http2Limits } from './limits.ts';

const { NGHTTP2_CANCEL } = constants;

export interface SessionUse {
  readonly endpoint: EndpointState;
  /** Fingerprint of what was proven there; empty: nothing was. */
  readonly backend: string;
  readonly lease: Lease;
  readonly maxHeaderBytes: number;
  /** Ms that it is kept without a stream. */
  readonly idleMs: number;
  /** Monotonic ms. */
  readonly now: () => number;
  /** A stream of it has ended. */
  readonly onFree: () => void;
  /** It takes no stream any more; called once. */
  readonly onGone: (self: UpstreamSession) => void;
}

/** One HTTP/2 connection to an endpoint, for many requests at a time. */
export class UpstreamSession implements Timed {
  readonly use: SessionUse;
  readonly #session: ClientHttp2Session;
  /** Why the connection was lost; what Node says of a stream of it is less. */
  lost: { readonly protocol: boolean; readonly reason: string } | undefined;
  deadline = Number.POSITIVE_INFINITY;
  /** Streams that are open. */
  active = 0;
  /** Streams so far. */
  served = 0;
  /** Of the streams that are open. */
  readonly #open: Http2Body<ClientHttp2Stream>[] = [];
  #gone = false;

  /** `socket`: connected, and paused. */
  constructor(socket: Duplex, use: SessionUse) {
    this.use = use;
    const session = connect('http://upstream.invalid', {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: http2Limits.streamWindow, maxHeaderListSize: use.maxHeaderBytes },
      maxSessionMemory: http2Limits.maxMemoryMb,
    });
    this.#session = session;
    session.on('error', (error: NodeJS.ErrnoException) => {
      this.lost = { protocol: error.code === 'ERR_HTTP2_ERROR', reason: error.message };
    });
    session.on('goaway', () => this.retire());
    socket.once('end', () => this.#halfClosed());
    session.once('close', () => this.#leave());
    // It is refused by settings, and by this where a server does not heed them.
    session.on('stream', (stream) => stream.close());
    this.deadline = use.now() + use.idleMs;
    setImmediate(() => {
      if (session.destroyed) return;
      session.setLocalWindowSize(http2Limits.connectionWindow);
      // Node has read by now what came while it was paused.
      socket.read(0);
    });
  }

  /** It can take one stream more. */
  get usable(): boolean {
    if (this.#gone || this.#session.closed || this.#session.destroyed) return false;
    const { maxConcurrentStreams = http2Limits.maxUpstreamStreams } = this.#session.remoteSettings;
    return this.active < Math.min(maxConcurrentStreams, http2Limits.maxUpstreamStreams);
  }

  /** The connection is of no use to anybody any more. */
  get dead(): boolean {
    return this.#session.destroyed;
  }

  /** Throws what Node throws when the session has ended, or will not send these headers. */
  request(headers: OutgoingHttpHeaders, options: ClientSessionRequestOptions): Http2Body<ClientHttp2Stream> {
    const stream = this.#session.request(headers, options);
    const body = new Http2Body(stream, false);
    this.#open.push(body);
    this.active += 1;
    this.served += 1;
    this.deadline = Number.POSITIVE_INFINITY;
    stream.once('close', () => {
      this.#open.splice(this.#open.indexOf(body), 1);
      this.active -= 1;
      const now = this.use.now();
      if (this.active === 0) this.deadline = now + this.use.idleMs;
      this.use.onFree();
    });
    if (isOver(this.use.lease, this.served, this.use.now())) this.retire();
    return body;
  }

  /** What was not whole by then never will be; the rest is read to its end. Node itself would wait for ever. */
  #halfClosed(): void {
    this.lost ??= { protocol: false, reason: 'the connection was closed' };
    for (const body of [...this.#open]) if (!body.complete()) body.stream.close(NGHTTP2_CANCEL);
    this.retire();
  }

  expire(): void {
    this.retire();
  }

  /** No stream after those that are open. Idempotent. */
  retire(): void {
    this.#leave();
    if (!this.#session.closed && !this.#session.destroyed) this.#session.close();
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.use.onGone(this);
  }
}
