import type { Socket } from 'node:net';
import { mtlsServerOptions, type Svid, type TrustBundle } from '../../../core/identity/index.ts';
import { principalOf } from '../../../core/model/index.ts';
import type { EngineOptions } from '../contract.ts';
import { HandshakeServer } from './handshake-server.ts';
import { settleTls, type TlsEnd } from './tls-ends.ts';

type OnPeer = EngineOptions['onPeer'];

/** The server's end of mTLS on connections that somebody else accepted. */
export class TlsTerminator {
  readonly #now: () => number;
  readonly #onPeer: OnPeer;
  readonly #servers = new Map<string, Terminating>();

  /** `now`: Unix ms. */
  constructor(now: () => number, onPeer?: OnPeer) {
    this.#now = now;
    this.#onPeer = onPeer;
  }

  /**
   * `hello`: what was read from the socket already. `alpn`: empty, or protocols of which the client's hello names one. The
   * caller holds the deadline: it destroys the socket.
   */
  terminate(transport: Socket, hello: Buffer, alpn: readonly string[], svid: Svid, trust: TrustBundle): Promise<TlsEnd> {
    const key = `${principalOf(svid.spiffeId)} ${alpn.join()}`;
    let server = this.#servers.get(key);
    if (server === undefined || server.svid !== svid || server.trust !== trust) {
      server = new Terminating(svid, trust, alpn);
      this.#servers.set(key, server);
    }
    return server.take(transport, hello, { now: this.#now, ...(this.#onPeer === undefined ? {} : { onPeer: this.#onPeer }) });
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

  take(transport: Socket, hello: Buffer, judged: { readonly now: () => number; readonly onPeer?: NonNullable<OnPeer> }): Promise<TlsEnd> {
    return this.#server.take(transport, hello, (begin) => settleTls(transport, { trust: this.trust, ...judged }, {}, begin));
  }
}
