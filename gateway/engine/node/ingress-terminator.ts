import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket, TlsOptions } from 'node:tls';
import type { IngressTls } from '../ingress-contract.ts';
import { HandshakeServer } from './handshake-server.ts';
import { settleHandshake, type TlsEnd } from './tls-ends.ts';

type IngressTlsEnd = { readonly ok: true; readonly socket: TLSSocket; readonly alpn: string } | Extract<TlsEnd, { readonly ok: false }>;

/** The server's end of TLS for people outside the mesh, with certificates of their own. */
export class IngressTerminator {
  /** By the protocol that is agreed on. */
  readonly #servers = new WeakMap<IngressTls, Map<string, HandshakeServer>>();

  /** `offered`: by ALPN. The caller holds the deadline: it destroys the socket. */
  terminate(transport: Socket, hello: Buffer, offered: readonly string[], tls: IngressTls): Promise<IngressTlsEnd> {
    const alpn = tls.alpn.find((each) => offered.includes(each)) ?? '';
    return this.#serverOf(tls, alpn).take(transport, hello, (begin) =>
      settleHandshake(transport, begin, (secure): IngressTlsEnd => {
        const reason = refusalOf(secure, tls);
        return reason === undefined ? { ok: true, socket: secure, alpn } : { ok: false, fault: 'identity', reason };
      }),
    );
  }

  #serverOf(tls: IngressTls, alpn: string): HandshakeServer {
    const servers = this.#servers.get(tls) ?? new Map<string, HandshakeServer>();
    this.#servers.set(tls, servers);
    const known = servers.get(alpn) ?? new HandshakeServer(optionsOf(tls, alpn));
    servers.set(alpn, known);
    return known;
  }
}

function optionsOf({ certPem, keyPem, clients, minVersion }: IngressTls, alpn: string): TlsOptions {
  return {
    cert: certPem,
    key: keyPem,
    minVersion: `TLSv${minVersion}`,
    // One that has no protocol in common with us is served without: Node would break the handshake off.
    ...(alpn === '' ? {} : { ALPNProtocols: [alpn] }),
    ...(clients === undefined
      ? {}
      : // A resumed session would be taken without a look at its certificate.
        { ca: clients.caPem, requestCert: true, rejectUnauthorized: !clients.optional, secureOptions: constants.SSL_OP_NO_TICKET }),
  };
}

/** Who may come without a certificate may not come with a wrong one. */
function refusalOf(secure: TLSSocket, { clients }: IngressTls): string | undefined {
  if (clients === undefined) return undefined;
  if (secure.isSessionReused()) return 'the session was resumed, so the client proved nothing';
  if (clients.optional && secure.getPeerX509Certificate() === undefined) return undefined;
  return secure.authorized ? undefined : `TLS refused the certificate: ${String(secure.authorizationError)}`;
}
