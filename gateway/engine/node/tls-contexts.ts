import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { BundleState } from '../../state/types.ts';
import type { TlsIdentity } from '../contract.ts';

/**
 * TLS contexts by identity and bundle, which are immutable: a renewed certificate makes a new context, and connections that
 * run keep theirs. Sessions are never resumed: a ticket would carry yesterday's verdict about a peer past a changed bundle.
 */
export class TlsContexts {
  #identity: TlsIdentity | undefined;
  #trust: BundleState | undefined;
  #context: SecureContext | undefined;

  /** One context for both roles. */
  get(identity: TlsIdentity, trust: BundleState): SecureContext {
    if (this.#context !== undefined && this.#identity === identity && this.#trust === trust) return this.#context;
    this.#context = createSecureContext({
      cert: identity.certificateChain,
      key: identity.privateKey,
      ca: trust.roots.map(toPem),
      minVersion: 'TLSv1.2',
      ecdhCurve: 'X25519:P-256',
      secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    });
    this.#identity = identity;
    this.#trust = trust;
    return this.#context;
  }
}

function toPem(der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
