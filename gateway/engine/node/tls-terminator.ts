import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { mtlsServerOptions, type Svid, type TrustBundle } from '../../../core/identity/index.ts';
import { settleTls, type TlsEnd } from './tls-ends.ts';

/**
 * The server's end of mTLS on connections that somebody else accepted. A tls.Server that never listens does it, since only
 * such a server asks OpenSSL for its verdict about the peer, which must hold besides our own.
 */
export class TlsTerminator {
  readonly #now: () => number;
  readonly #byAlpn = new Map<string, Terminating>();

  /** `now`: Unix ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * `hello`: what was read from the socket already. `alpn`: empty, or protocols of which the client's hello names one. The
   * caller holds the deadline: it destroys the socket.
   */
  terminate(transport: Socket, hello: Buffer, alpn: readonly string[], svid: Svid, trust: TrustBundle): Promise<TlsEnd> {
    const key = alpn.join();
    let server = this.#byAlpn.get(key);
    if (server === undefined || server.svid !== svid || server.trust !== trust) {
      server = new Terminating(svid, trust, alpn);
      this.#byAlpn.set(key, server);
    }
    return server.take(transport, hello, this.#now);
  }
}

/** One SVID and bundle; connections that began with it end with it. */
class Terminating {
  readonly svid: Svid;
  readonly trust: TrustBundle;
  readonly #server: Server;
  readonly #waiting = new Map<string, { ready: (socket: TLSSocket) => void; note: (error: Error) => void }>();

  constructor(svid: Svid, trust: TrustBundle, alpn: readonly string[]) {
    this.svid = svid;
    this.trust = trust;
    // The peer is verified in settleTls, with a reason to log; until then nobody sees a byte of it.
    this.#server = createServer({ ...mtlsServerOptions(svid, trust, alpn), rejectUnauthorized: false });
    this.#server.on('secureConnection', (socket) => this.#waiting.get(tupleOf(socket))?.ready(socket));
    this.#server.on('tlsClientError', (error, socket) => this.#waiting.get(tupleOf(socket))?.note(error));
  }

  take(transport: Socket, hello: Buffer, now: () => number): Promise<TlsEnd> {
    const key = tupleOf(transport);
    const settled = settleTls(transport, { trust: this.trust, now }, {}, (ready, note) => {
      this.#waiting.set(key, { ready, note });
      transport.unshift(hello);
      this.#server.emit('connection', transport);
    });
    return settled.finally(() => this.#waiting.delete(key));
  }
}

/** Unique among open connections. */
function tupleOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}
