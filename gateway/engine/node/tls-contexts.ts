import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type Svid, svidKeyPem, type TrustBundle } from '../../../core/identity/index.ts';
import { allRoots, certificatesToPem } from '../../../core/pki/index.ts';

/**
 * Clients' TLS contexts by identity and bundle, which are immutable: a renewed certificate makes a new context, and connections that
 * run keep theirs. Sessions are never resumed: a ticket would carry yesterday's verdict about a peer past a changed bundle.
 */
export class TlsContexts {
  #svid: Svid | undefined;
  #trust: TrustBundle | undefined;
  #context: SecureContext | undefined;

  get(svid: Svid, trust: TrustBundle): SecureContext {
    if (this.#context !== undefined && this.#svid === svid && this.#trust === trust) return this.#context;
    this.#context = createSecureContext({
      cert: svid.chainPem,
      key: svidKeyPem(svid),
      ca: allRoots(trust).map((root) => certificatesToPem([root])),
      minVersion: 'TLSv1.2',
      secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    });
    this.#svid = svid;
    this.#trust = trust;
    return this.#context;
  }
}
