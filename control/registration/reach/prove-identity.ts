import { connect } from 'node:tls';
import { mtlsClientOptions, type Svid, type TrustBundle } from '../../../core/identity/index.ts';
import { parseCertificate } from '../../../core/pki/index.ts';

export interface ProofRequest {
  readonly address: string;
  readonly port: number;
  readonly sni: string;
  readonly uriSan: string;
  readonly clusterSan: string;
  /** Of this control plane. */
  readonly svid: Svid;
  readonly bundle: TrustBundle;
  readonly timeoutMs: number;
  /** Unix ms. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** `refused`: no handshake came to its end; `other`: somebody else showed a certificate. */
export type Proof =
  | { readonly ok: true; readonly serial: string }
  | { readonly ok: false; readonly kind: 'refused' | 'other'; readonly reason: string };

/** OpenSSL's verdicts about chains, as Node names them. */
const refusedCertificate = /CERT|LEAF_SIGNATURE|ISSUER|INVALID_PURPOSE|PATH_LENGTH/;

/** One mTLS handshake, and not a byte more. Never rejects. */
export function proveIdentity(request: ProofRequest): Promise<Proof> {
  const { address, port, sni, uriSan, svid, bundle, timeoutMs, now, signal } = request;
  return new Promise((resolve) => {
    const options = mtlsClientOptions(svid, bundle, { sni, uriSans: [uriSan], clusterSan: request.clusterSan }, now);
    const socket = connect({ host: address, port, ...options });
    let kind: 'refused' | 'other' = 'refused';
    let reason = 'closed the connection during the handshake';
    const timer = setTimeout(() => socket.destroy(new Error(`no handshake within ${timeoutMs} ms`)), timeoutMs);
    const onAbort = () => socket.destroy(new Error('the control plane is shutting down'));
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = (proof: Proof) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(proof);
    };
    socket.on('error', (error: NodeJS.ErrnoException) => {
      reason = error.message;
      // Whoever showed a certificate, and was refused for it, is somebody.
      if (refusedCertificate.test(error.code ?? '') || error.message.startsWith("the server's identity was refused")) kind = 'other';
    });
    socket.once('close', () => settle({ ok: false, kind, reason }));
    socket.once('secureConnect', () => {
      const leaf = parseCertificate(socket.getPeerCertificate().raw);
      settle(leaf.ok ? { ok: true, serial: leaf.value.serial } : { ok: false, kind: 'other', reason: 'its certificate cannot be read' });
    });
    if (signal.aborted) onAbort();
  });
}
