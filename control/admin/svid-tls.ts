import type { TLSSocket } from 'node:tls';
import { mtlsServerOptions, type SvidSource, verifyPeerSocket } from '../../core/identity/index.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import type { SvidCaller } from './authenticate.ts';
import type { AdminTls } from './options.ts';

/** The API with the control plane's own SVID, which rotates. */
export function adminTlsOf(source: SvidSource): AdminTls {
  return {
    current: () => mtlsServerOptions(source.current(), source.bundle()),
    subscribe: (listener) => source.subscribe(listener),
  };
}

/**
 * Callers by their SVID of this very cluster, judged anew at every call: one that has expired meanwhile is refused. An AccessPolicy
 * names SPIFFE ids, and any cluster of the mesh can issue any of those: whoever holds another one would be admin here by its word.
 */
export function svidCallers(source: SvidSource, now: () => number): (socket: TLSSocket) => SvidCaller | undefined {
  return (socket) => {
    // An empty object is what Node gives for a client without a certificate.
    if (socket.getPeerCertificate().raw === undefined) return undefined;
    const peer = verifyPeerSocket(socket, source.bundle(), now());
    const here = source.current().cluster;
    if (peer.ok && peer.cluster !== here) return { ok: false, reason: `it was issued by cluster ${peer.cluster}, and this is ${here}` };
    return peer.ok ? { ok: true, spiffeId: formatSpiffeId(peer.spiffeId), cluster: peer.cluster } : { ok: false, reason: peer.reason };
  };
}
