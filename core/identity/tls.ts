import { constants } from 'node:crypto';
import type { ConnectionOptions, DetailedPeerCertificate, PeerCertificate, TLSSocket, TlsOptions } from 'node:tls';
import {
  type AnyPeerVerdict,
  allRoots,
  certificatesToPem,
  type PeerExpectation,
  type PeerVerdict,
  type TrustBundle,
  verifyPeer,
  verifySvid,
} from '../pki/index.ts';
import { type Svid, svidKeyPem } from './svid.ts';

/**
 * What a server of this mesh presents and demands; for tls.createServer and, at rotation, server.setSecureContext. OpenSSL
 * checks chain, time, use and name constraints in the handshake; the rest is `verifyPeerSocket`'s, on secureConnection.
 *
 * No tickets: a resumed session carries no chain, and would outlive a denied certificate.
 */
export function mtlsServerOptions(svid: Svid, bundle: TrustBundle, alpn: readonly string[] = []): TlsOptions {
  return {
    ...common(svid, bundle),
    requestCert: true,
    rejectUnauthorized: true,
    secureOptions: constants.SSL_OP_NO_TICKET,
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
  };
}

/**
 * Who is at the other end of a handshaken socket, at `now` (Unix ms). The socket's own trust must have been this bundle's roots. Never
 * throws. A refused socket is for the caller to destroy. `shown`: the chain, where it was read already, which takes Node as long as verifying it.
 */
export function verifyPeerSocket(
  socket: TLSSocket,
  bundle: TrustBundle,
  now: number,
  expectation: PeerExpectation = {},
  shown?: readonly Buffer[],
): PeerVerdict {
  const verdict = verifyAnyPeerSocket(socket, bundle, now, expectation, shown);
  return verdict.foreign === true ? { ok: false, reason: `is of another trust domain, ${verdict.id.trustDomain}` } : verdict;
}

/** The same, where peers of the trust domains in `trust.others` may come too. Who they are is for rules that name them to say. */
export function verifyAnyPeerSocket(
  socket: TLSSocket,
  trust: TrustBundle,
  now: number,
  expectation: PeerExpectation = {},
  shown?: readonly Buffer[],
): AnyPeerVerdict {
  if (socket.isSessionReused()) return { ok: false, reason: 'the session was resumed, so the peer proved nothing' };
  const chain = shown ?? chainOf(socket.getPeerCertificate(true));
  if (chain.length === 0) return { ok: false, reason: 'no certificate' };
  if (!socket.authorized) return { ok: false, reason: `TLS refused the certificate: ${String(socket.authorizationError)}` };
  return verifyPeer(chain, trust, now, expectation, chain.length === 1);
}

export interface MtlsTarget {
  /** SNI. Empty: none is sent. */
  readonly sni: string;
  /** Any of these SPIFFE ids; the peer must be one of them. */
  readonly uriSans: readonly string[];
  /** And of this cluster: `CLUSTER.cluster.TRUST_DOMAIN`. */
  readonly clusterSan: string;
  readonly alpn?: readonly string[];
}

/**
 * For tls.connect, with a host, port or socket added. The handshake fails with the verifier's reason unless the server is one of the
 * named identities, proven by that cluster's own intermediate. Never add `session`: Node checks no identity when it resumes one.
 * `now` gives Unix ms.
 */
export function mtlsClientOptions(svid: Svid, bundle: TrustBundle, target: MtlsTarget, now: () => number): ConnectionOptions {
  return {
    ...common(svid, bundle),
    rejectUnauthorized: true,
    servername: target.sni,
    checkServerIdentity: (_host, certificate) =>
      serverFault(certificate, bundle, now(), { uriSans: target.uriSans, clusterSan: target.clusterSan }),
    ...(target.alpn === undefined ? {} : { ALPNProtocols: [...target.alpn] }),
  };
}

/** For a `checkServerIdentity`: the error, or undefined when the server is who it should be. */
export function serverFault(
  certificate: PeerCertificate,
  bundle: TrustBundle,
  now: number,
  expectation: PeerExpectation,
): Error | undefined {
  const verdict = verifySvid(chainOf(certificate as DetailedPeerCertificate), bundle, now, expectation);
  return verdict.ok ? undefined : new Error(`the server's identity was refused: ${verdict.reason}`);
}

function common(svid: Svid, bundle: TrustBundle) {
  return {
    key: svidKeyPem(svid),
    cert: svid.chainPem,
    ca: allRoots(bundle).map((root) => certificatesToPem([root])),
    minVersion: 'TLSv1.2' as const,
  };
}

/** Leaf first. Node links a root to itself, and OpenSSL's chain may hold more than was sent; four are enough to verify one. */
export function chainOf(certificate: DetailedPeerCertificate | PeerCertificate | undefined): Buffer[] {
  const chain: Buffer[] = [];
  let at = certificate as DetailedPeerCertificate | undefined;
  while (at?.raw !== undefined && chain.length < 4) {
    const { raw } = at;
    if (chain.some((seen) => seen.equals(raw))) break;
    chain.push(raw);
    at = at.issuerCertificate;
  }
  return chain;
}
