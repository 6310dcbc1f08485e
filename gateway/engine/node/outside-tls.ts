import type { Socket } from 'node:net';
import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import type { OutsideTls } from '../../../core/traffic/index.ts';
import { settleHandshake } from './tls-ends.ts';

export type OutsideEnd =
  | { readonly ok: true; readonly socket: TLSSocket; readonly alpn: string }
  | { readonly ok: false; readonly fault: 'handshake' | 'identity'; readonly reason: string };

/** The client's end towards what is outside the mesh, on a connected socket. The caller holds the deadline: it destroys the socket. */
export function originateOutside(transport: Socket, tls: OutsideTls, context: SecureContext, alpn: readonly string[]): Promise<OutsideEnd> {
  return settleHandshake(
    transport,
    (ready, note) => {
      const secure = connect({
        socket: transport,
        secureContext: context,
        ...(tls.sni === '' ? {} : { servername: tls.sni }),
        // The server is judged below, before a byte is sent to it.
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
      });
      secure.on('error', note);
      secure.once('secureConnect', () => ready(secure));
    },
    (secure): OutsideEnd => {
      const reason = tls.insecureSkipVerify === true ? undefined : distrust(secure, tls);
      if (reason !== undefined) return { ok: false, fault: 'identity', reason };
      return { ok: true, socket: secure, alpn: secure.alpnProtocol || '' };
    },
  );
}

/** Why its certificate is not good enough: the chain, then any of the names, as Envoy asks for them. */
function distrust(secure: TLSSocket, { sni, subjectAltNames }: OutsideTls): string | undefined {
  if (!secure.authorized) return `its certificate is not trusted: ${String(secure.authorizationError)}`;
  const names = (subjectAltNames.length === 0 ? [sni] : subjectAltNames).filter((name) => name !== '');
  const certificate = secure.getPeerX509Certificate();
  if (names.length === 0) return undefined;
  const uris = (certificate?.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:'));
  const is = (name: string) =>
    name.includes('://')
      ? uris.includes(`URI:${name}`)
      : certificate?.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined;
  return names.some(is) ? undefined : `its certificate has none of the names ${names.join(', ')}`;
}
