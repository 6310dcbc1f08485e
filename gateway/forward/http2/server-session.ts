import { constants, type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Timed } from '../../deadlines.ts';
import type { DeliveredConnection } from '../../engine/index.ts';
import type { ForwardParts } from '../contract.ts';
import { Exchange } from '../exchange.ts';
import { Http2Downstream } from './downstream.ts';
import { http2Limits } from './limits.ts';
import { PrematureResets } from './premature-resets.ts';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR } = constants;
const everyStream = 2 ** 31 - 1;

/** One caller's HTTP/2 connection: every stream is an exchange. Ends when its peer, a limit or drain says so. */
export class Http2ServerSession implements Timed {
  readonly #parts: ForwardParts;
  readonly #connection: DeliveredConnection;
  readonly #session: ServerHttp2Session;
  readonly #resets = new PrematureResets();
  readonly #exchangeLimits: { readonly scheme: 'http' | 'https'; readonly maxHeaders: number };
  deadline: number;
  #active = 0;

  constructor(parts: ForwardParts, connection: DeliveredConnection) {
    this.#parts = parts;
    this.#connection = connection;
    const { clock, deadlines, limits } = parts;
    this.#exchangeLimits = { scheme: connection.peer === undefined ? 'http' : 'https', maxHeaders: limits.maxHeaders };
    this.#session = performServerHandshake(connection.socket, {
      settings: {
        maxConcurrentStreams: http2Limits.maxStreams,
        initialWindowSize: http2Limits.streamWindow,
        maxHeaderListSize: limits.maxHeaderBytes,
      },
      // One more than exchanges refuse with an answer, and the pseudo headers.
      maxHeaderListPairs: limits.maxHeaders + 8,
      maxSessionMemory: http2Limits.maxMemoryMb,
      maxSessionInvalidFrames: http2Limits.maxInvalidFrames,
      maxSessionRejectedStreams: http2Limits.maxRejectedStreams,
    });
    this.#session.on('error', () => {});
    this.#session.once('close', () => deadlines.forget(this));
    this.#session.on('stream', (stream: ServerHttp2Stream, _headers: IncomingHttpHeaders, flags: number, raw?: string[]) =>
      this.#exchange(stream, raw ?? [], flags),
    );
    // Node waits for ever on a connection that its peer has half closed; nobody there reads answers (Envoy ends it too).
    connection.socket.once('end', () => this.#session.destroy());
    this.deadline = clock.monotonic() + limits.headersTimeoutMs;
    deadlines.watch(this);
    setImmediate(() => this.#begin());
  }

  /** Tells the caller; streams that are on their way until it knows are served as well. */
  drain(): void {
    const session = this.#session;
    if (session.closed || session.destroyed) return;
    session.goaway(NGHTTP2_NO_ERROR, everyStream);
    const told = session.ping(() => {
      if (!session.destroyed) session.close();
    });
    if (!told) session.close();
  }

  expire(): void {
    this.deadline = Number.POSITIVE_INFINITY;
    if (this.#session.closed) this.#session.destroy();
    else {
      this.#session.close();
      // For one that does not take the end either.
      this.deadline = this.#parts.clock.monotonic() + this.#parts.limits.headersTimeoutMs;
    }
  }

  /** Node has read by now what came before it took the connection over, which was delivered paused. */
  #begin(): void {
    if (this.#session.destroyed) return;
    this.#session.setLocalWindowSize(http2Limits.connectionWindow);
    this.#connection.socket.read(0);
  }

  #exchange(stream: ServerHttp2Stream, raw: readonly string[], flags: number): void {
    const { clock, limits } = this.#parts;
    const began = clock.monotonic();
    this.#active += 1;
    this.deadline = Number.POSITIVE_INFINITY;
    const downstream = new Http2Downstream(stream, raw, flags, this.#exchangeLimits);
    const exchange = new Exchange(this.#parts, this.#connection, downstream);
    stream.once('close', () => {
      this.#active -= 1;
      const now = clock.monotonic();
      if (this.#active === 0) this.deadline = now + limits.keepAliveTimeoutMs;
      if (this.#resets.closed(stream.aborted && !downstream.answered, now - began)) {
        this.#session.destroy(undefined, NGHTTP2_ENHANCE_YOUR_CALM);
      }
    });
    void exchange.run();
  }
}
