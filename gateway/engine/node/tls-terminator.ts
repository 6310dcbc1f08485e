import type { Socket } from 'node:net';
import { mtlsServerOptions, type Svid, type TrustBundle } from '../../../core/identity/index.ts';
import { HandshakeServer } from './handshake-server.ts';
import { settleTls, type TlsEnd } from './tls-ends.ts';

/** The server's end of mTLS on connections that somebody else accepted. */
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
  readonly #server: HandshakeServer;

  constructor(svid: Svid, trust: TrustBundle, alpn: readonly string[]) {
    this.svid = svid;
    this.trust = trust;
    // The peer is verified in settleTls, with a reason to log; until then nobody sees a byte of it.
    this.#server = new HandshakeServer({ ...mtlsServerOptions(svid, trust, alpn), rejectUnauthorized: false });
  }

  take(transport: Socket, hello: Buffer, now: () => number): Promise<TlsEnd> {
    return this.#server.take(transport, hello, (begin) => settleTls(transport, { trust: this.trust, now }, {}, begin));
  }
}
