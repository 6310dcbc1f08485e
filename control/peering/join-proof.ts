import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { peering } from '../../core/xds/index.ts';

type Part = string | Uint8Array | readonly (string | Uint8Array)[];

export const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Every part is length-prefixed and every list counted, so that no two messages read alike. */
function mac(secret: Uint8Array, label: string, parts: readonly Part[]): Buffer {
  const hmac = createHmac('sha256', secret);
  const number = (n: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(n);
    hmac.update(bytes);
  };
  const put = (part: string | Uint8Array) => {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part;
    number(bytes.length);
    hmac.update(bytes);
  };
  put(label);
  for (const part of parts) {
    if (typeof part === 'string' || part instanceof Uint8Array) {
      put(part);
      continue;
    }
    number(part.length);
    for (const each of part) put(each);
  }
  return hmac.digest();
}

/** `serverHash`: SHA-256 of the certificate that the TLS server of this exchange presented. */
export function joinProof(secret: Uint8Array, request: peering.JoinRequest, serverHash: Uint8Array): Buffer {
  const { invite, cluster, addresses, csr } = request;
  return mac(secret, 'join', [invite, cluster, addresses, csr, serverHash]);
}

export function replyProof(secret: Uint8Array, reply: peering.JoinReply, csr: Uint8Array): Buffer {
  const { invite, cluster, trustDomain, roots, intermediate, inviterIntermediate, addresses } = reply;
  return mac(secret, 'reply', [invite, cluster, trustDomain, roots, intermediate, inviterIntermediate, addresses, csr]);
}

export function offerProof(secret: Uint8Array, invite: string, joinerHash: Uint8Array): Buffer {
  return mac(secret, 'offer', [invite, joinerHash]);
}

export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
