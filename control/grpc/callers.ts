import type { ServerDuplexStream, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import type { SpiffeId } from '../../core/model/index.ts';
import { sha256Hex, type TrustBundle, type VerifiedPeer } from '../../core/pki/index.ts';

/** Who makes a call, as its connection's certificate proved when it was opened. */
export interface Caller {
  readonly spiffeId: SpiffeId;
  readonly cluster: string;
  /** Of the SVID presented; lower-case hex. */
  readonly serial: string;
  /** Unix ms: the connection ends then. */
  readonly svidNotAfter: number;
}

export type AnyCall = ServerUnaryCall<never, never> | ServerWritableStream<never, never> | ServerDuplexStream<never, never>;
/** What all calls have in common and is needed here. */
export type CallLike = Pick<AnyCall, 'getAuthContext' | 'getPeer'>;

/**
 * Verified peers of the connections that stand, by the leaf they presented. The leaf is what grpc-js shows per call; it names
 * its holder wholly, so connections that share it share the entry.
 */
export class Callers {
  readonly #byLeaf = new Map<string, { readonly peer: VerifiedPeer; connections: number }>();

  /** Returns what ends the entry. */
  add(leaf: Buffer, peer: VerifiedPeer): () => void {
    const key = sha256Hex(leaf);
    const entry = this.#byLeaf.get(key) ?? { peer, connections: 0 };
    entry.connections += 1;
    this.#byLeaf.set(key, entry);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      entry.connections -= 1;
      if (entry.connections === 0) this.#byLeaf.delete(key);
    };
  }

  /** Undefined: no certificate, or one that has ended or been denied since. */
  of(call: CallLike, bundle: TrustBundle, now: number): Caller | undefined {
    const leaf = call.getAuthContext().sslPeerCertificate?.raw;
    if (leaf === undefined) return undefined;
    const peer = this.#byLeaf.get(sha256Hex(leaf))?.peer;
    if (peer === undefined || peer.notAfter <= now || bundle.deniedSerials.includes(peer.serial)) return undefined;
    return { spiffeId: peer.spiffeId, cluster: peer.cluster, serial: peer.serial, svidNotAfter: peer.notAfter };
  }
}

/** The IP that a call comes from, or ''. */
export function sourceOf(call: CallLike): string {
  const peer = call.getPeer();
  const colon = peer.lastIndexOf(':');
  const host = colon > 0 ? peer.slice(0, colon) : peer;
  return host.startsWith('::ffff:') ? host.slice(7) : host;
}
