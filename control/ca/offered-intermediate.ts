import { MeshError } from '../../core/errors.ts';
import { type Certificate, parseCertificate } from '../../core/pki/index.ts';
import { intermediateFault } from './peer-intermediates.ts';

/**
 * A signing certificate for the cluster whose SAN is `san`, as somebody hands it over with the roots over it; `roots`: those that count from
 * then on, the offered ones only where none did. MeshError IDENTITY_INVALID for one that is of another cluster, out of its time, or under
 * no root that counts; CONFLICT where this cluster has a root and it is not among those offered.
 */
export function readOffered(
  der: Uint8Array,
  offeredRoots: readonly Uint8Array[],
  own: readonly Certificate[],
  san: string,
  now: number,
): { readonly certificate: Certificate; readonly roots: readonly Certificate[] } {
  const parsed = parseCertificate(der);
  if (!parsed.ok) throw new MeshError('IDENTITY_INVALID', parsed.violations[0]?.message ?? 'not a certificate');
  const offered = offeredRoots.flatMap((each) => {
    const root = parseCertificate(each);
    return root.ok ? [root.value] : [];
  });
  if (own.length > 0 && !offered.some((root) => own.some((known) => known.der.equals(root.der)))) {
    throw new MeshError('CONFLICT', 'this cluster has a root of its own: trust domains are federated, not merged');
  }
  // Roots come in by joining first, then by statements that a root has signed, and by nothing else.
  const roots = own.length > 0 ? own : offered;
  const fault = intermediateFault(parsed.value, roots, san);
  if (fault !== undefined) throw new MeshError('IDENTITY_INVALID', `the signing certificate is refused: ${fault}`);
  if (parsed.value.notAfter <= now || parsed.value.notBefore > now)
    throw new MeshError('IDENTITY_INVALID', 'the signing certificate is refused: it is not in its time');
  return { certificate: parsed.value, roots };
}
