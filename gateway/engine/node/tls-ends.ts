import type { Socket } from 'node:net';
import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import { type AnyPeerVerdict, type PeerExpectation, type TrustBundle, verifyAnyPeerSocket } from '../../../core/identity/index.ts';
import { formatSpiffeId, formatWorkloadId, principalOf } from '../../../core/model/index.ts';
import type { UpstreamTls } from '../../state/types.ts';
import type { EngineOptions, PeerIdentity } from '../contract.ts';
import { abortStream, markTransport, rememberTransport } from './abort-stream.ts';

/** `fault`: `handshake` when TLS itself broke, `identity` when it held but the peer is not who it must be. */
export type TlsEnd =
  | { readonly ok: true; readonly socket: TLSSocket; readonly peer: PeerIdentity; readonly alpn: string }
  | { readonly ok: false; readonly fault: 'handshake' | 'identity'; readonly reason: string };

interface Verification {
  readonly trust: TrustBundle;
  /** Unix ms. */
  readonly now: () => number;
  readonly onPeer?: EngineOptions['onPeer'];
}

export interface OriginateRequest extends Verification {
  readonly context: SecureContext;
  /** Offered; may be empty. */
  readonly alpn: readonly string[];
}

/** The client's end, on a connected socket. The caller holds the deadline: it destroys the socket. */
export function originateTls(transport: Socket, tls: UpstreamTls, request: OriginateRequest): Promise<TlsEnd> {
  const { uriSans, clusterSan, trustDomain = '' } = tls;
  // Ids of another trust domain are proven by its own authorities and by nobody else's: see verifyPeer.
  const expect: PeerExpectation = trustDomain === '' ? { uriSans, clusterSan } : { uriSans };
  return settleTls(transport, request, expect, (ready, note) => {
    const secure = connect({
      socket: transport,
      secureContext: request.context,
      ...(tls.sni === '' ? {} : { servername: tls.sni }),
      // The server is verified in settleTls, before a byte is sent to it.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(request.alpn.length === 0 ? {} : { ALPNProtocols: [...request.alpn] }),
    });
    secure.on('error', note);
    secure.once('secureConnect', () => ready(secure));
  });
}

/** Waits for a handshake that `begin` starts, and for the peer to be who it must be. Closes the transport otherwise. */
export function settleTls(transport: Socket, verification: Verification, expect: PeerExpectation, begin: BeginHandshake): Promise<TlsEnd> {
  return settleHandshake(transport, begin, (secure): TlsEnd => {
    const verdict = verifyAnyPeerSocket(secure, verification.trust, verification.now(), expect);
    if (!verdict.ok) return { ok: false, fault: 'identity', reason: verdict.reason };
    const peer = identityOf(secure, verdict);
    verification.onPeer?.(peer);
    return { ok: true, socket: secure, peer, alpn: secure.alpnProtocol || '' };
  });
}

export type BeginHandshake = (ready: (secure: TLSSocket) => void, note: (error: Error) => void) => void;

/** `judge` is asked when the handshake is done; who it refuses is broken off. */
export function settleHandshake<End extends { readonly ok: boolean }>(
  transport: Socket,
  begin: BeginHandshake,
  judge: (secure: TLSSocket) => End,
): Promise<End | Extract<TlsEnd, { ok: false }>> {
  return new Promise((resolve) => {
    let reason = 'closed during the handshake';
    const note = (error: Error) => {
      reason = error.message;
    };
    const onClose = () => resolve({ ok: false, fault: 'handshake', reason });
    transport.on('error', note);
    markTransport(transport);
    transport.once('close', onClose);
    begin((secure) => {
      transport.off('close', onClose);
      rememberTransport(secure, transport);
      // An error between the hand-over and its new owner's first listener must not be uncaught.
      secure.on('error', note);
      const end = judge(secure);
      if (end.ok) secure.pause();
      else abortStream(secure);
      resolve(end);
    }, note);
  });
}

function identityOf(secure: TLSSocket, verdict: Extract<AnyPeerVerdict, { ok: true }>): PeerIdentity {
  const fingerprint = (secure.getPeerX509Certificate()?.fingerprint256 ?? '').replaceAll(':', '').toLowerCase();
  if (verdict.foreign === true) {
    const { trustDomain, path } = verdict.id;
    const principal = `${trustDomain}${path}`;
    // Of none of our namespaces, accounts or clusters, whatever its path looks like.
    const nowhere = { namespace: '', serviceAccount: '', cluster: '', dnsSans: [] };
    return { spiffeId: formatWorkloadId(verdict.id), principal, trustDomain, ...nowhere, fingerprint, foreign: true };
  }
  const { spiffeId, cluster, serial } = verdict;
  return {
    spiffeId: formatSpiffeId(spiffeId),
    principal: principalOf(spiffeId),
    trustDomain: spiffeId.trustDomain,
    namespace: spiffeId.namespace,
    serviceAccount: spiffeId.serviceAccount,
    cluster,
    dnsSans: [`${cluster}.cluster.${spiffeId.trustDomain}`],
    serial,
    fingerprint,
    ...(verdict.root === undefined ? {} : { root: verdict.root }),
  };
}
