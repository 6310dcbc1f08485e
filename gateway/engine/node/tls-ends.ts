import type { Socket } from 'node:net';
import { connect, type SecureContext, TLSSocket } from 'node:tls';
import { type PeerExpectation, type PeerVerdict, type TrustBundle, verifyPeerSocket } from '../../../core/identity/index.ts';
import { formatSpiffeId, principalOf } from '../../../core/model/index.ts';
import type { UpstreamTls } from '../../state/types.ts';
import type { PeerIdentity } from '../contract.ts';
import { rememberTransport } from './abort-stream.ts';

/** `fault`: `handshake` when TLS itself broke, `identity` when it held but the peer is not who it must be. */
export type TlsEnd =
  | { readonly ok: true; readonly socket: TLSSocket; readonly peer: PeerIdentity; readonly alpn: string }
  | { readonly ok: false; readonly fault: 'handshake' | 'identity'; readonly reason: string };

export interface TlsRequest {
  readonly context: SecureContext;
  readonly trust: TrustBundle;
  /** Unix ms. */
  readonly now: () => number;
  /** Offered by a client; a server takes the first that the client's hello named. */
  readonly alpn: readonly string[];
}

/** The server's end, on a paused socket into which the hello has been unshifted. The caller holds the deadline: it destroys the socket. */
export function terminateTls(transport: Socket, request: TlsRequest): Promise<TlsEnd> {
  const secure = new TLSSocket(transport, {
    isServer: true,
    secureContext: request.context,
    requestCert: true,
    // The peer is verified below, with a reason to log; until then nobody sees a byte of it.
    rejectUnauthorized: false,
    ...(request.alpn.length === 0 ? {} : { ALPNProtocols: [...request.alpn] }),
  });
  return settle(secure, transport, 'secure', request, {});
}

/** The client's end, on a connected socket. */
export function originateTls(transport: Socket, tls: UpstreamTls, request: TlsRequest): Promise<TlsEnd> {
  const secure = connect({
    socket: transport,
    secureContext: request.context,
    servername: tls.sni,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(request.alpn.length === 0 ? {} : { ALPNProtocols: [...request.alpn] }),
  });
  return settle(secure, transport, 'secureConnect', request, { uriSans: tls.uriSans, clusterSan: tls.clusterSan });
}

function settle(secure: TLSSocket, transport: Socket, ready: string, request: TlsRequest, expect: PeerExpectation): Promise<TlsEnd> {
  rememberTransport(secure, transport);
  return new Promise((resolve) => {
    let reason = 'closed during the handshake';
    const note = (error: Error) => {
      reason = error.message;
    };
    const onClose = () => finish({ ok: false, fault: 'handshake', reason });
    const onReady = () => {
      const verdict = verifyPeerSocket(secure, request.trust, request.now(), expect);
      if (!verdict.ok) {
        finish({ ok: false, fault: 'identity', reason: verdict.reason });
        return;
      }
      secure.pause();
      finish({ ok: true, socket: secure, peer: identityOf(secure, verdict), alpn: secure.alpnProtocol || '' });
    };
    const finish = (end: TlsEnd) => {
      secure.off(ready, onReady);
      secure.off('close', onClose);
      if (!end.ok) {
        secure.destroy();
        transport.destroy();
      }
      resolve(end);
    };
    // The listeners for errors stay: an error after the hand-over must not be uncaught before its new owner listens.
    secure.on('error', note);
    secure.on('_tlsError', note);
    transport.on('error', note);
    secure.on('close', onClose);
    secure.once(ready, onReady);
  });
}

function identityOf(secure: TLSSocket, verdict: Extract<PeerVerdict, { ok: true }>): PeerIdentity {
  const { spiffeId, cluster } = verdict;
  return {
    spiffeId: formatSpiffeId(spiffeId),
    principal: principalOf(spiffeId),
    trustDomain: spiffeId.trustDomain,
    namespace: spiffeId.namespace,
    serviceAccount: spiffeId.serviceAccount,
    cluster,
    dnsSans: [`${cluster}.cluster.${spiffeId.trustDomain}`],
    fingerprint: (secure.getPeerX509Certificate()?.fingerprint256 ?? '').replaceAll(':', '').toLowerCase(),
  };
}
