import { MeshError } from '../../core/errors.ts';
import type { SpiffeId } from '../../core/model/index.ts';
import { type Issuer, issueLeaf } from '../../core/pki/index.ts';
import type { IssuedChain } from './authority-options.ts';
import { checkSvidTtl } from './lifetime.ts';

export interface ChainRequest {
  readonly spki: Uint8Array;
  readonly id: SpiffeId;
  readonly ttlMs: number;
  /** Unix ms. */
  readonly now: number;
}

/** See Authority.issueSvid, whose errors these are. */
export function issueChain(issuer: Issuer | undefined, cluster: string, trustDomain: string, request: ChainRequest): IssuedChain {
  const { spki, id, ttlMs, now } = request;
  const ttl = checkSvidTtl(ttlMs, trustDomain);
  if (!ttl.ok) throw new MeshError('CONFIG_INVALID', ttl.violations[0]?.message ?? 'lifetime');
  if (id.trustDomain !== trustDomain) throw new MeshError('PERMISSION_DENIED', `no identity of ${id.trustDomain} is issued here`);
  if (issuer === undefined) {
    const next = 'this cluster has no signing certificate yet: join a peer, or run isthmus ca sign';
    throw new MeshError('IDENTITY_INVALID', next, { retryable: true });
  }
  if (issuer.certificate.notAfter <= now)
    throw new MeshError('IDENTITY_INVALID', 'the signing certificate of this cluster has expired: run isthmus ca sign');
  const leaf = issueLeaf(issuer, spki, id, cluster, now, ttl.value);
  return { chain: [leaf.der, issuer.certificate.der], leaf, issuer: issuer.certificate.serial };
}
