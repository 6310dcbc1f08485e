import { type Certificate, fingerprintOf, type TrustBundle } from '../../core/pki/index.ts';
import { rootOver } from './rotation/statement.ts';

export interface BundleParts {
  readonly trustDomain: string;
  readonly cluster: string;
  readonly roots: readonly Certificate[];
  /** This cluster's signing certificates: the one in use first, then the one that is announced, then earlier ones. */
  readonly own: readonly Certificate[];
  readonly peers: TrustBundle['intermediates'];
  readonly denied: readonly string[];
  /** Somebody has said which root signs. */
  readonly rotated: boolean;
}

/** Roots with the one over the signing certificate first: that is what tokens and invitations name. Pure. */
export function assembleBundle({ trustDomain, cluster, roots, own, peers, denied, rotated }: BundleParts): TrustBundle {
  const over = own[0] === undefined ? undefined : rootOver(own[0], roots);
  const first = roots.filter((root) => fingerprintOf(root) === over);
  return {
    trustDomain,
    roots: [...first, ...roots.filter((root) => !first.includes(root))].map((root) => root.der),
    intermediates: [...own.map((certificate) => ({ cluster, certificate: certificate.der })), ...peers],
    deniedSerials: denied,
    ...(rotated && over !== undefined ? { signingRoot: Buffer.from(over, 'hex') } : {}),
  };
}
