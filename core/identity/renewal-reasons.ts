import { type Certificate, fingerprintOf, parseCertificate, signedBy, type TrustBundle } from '../pki/index.ts';
import type { Svid } from './svid.ts';

function parsed(ders: readonly Uint8Array[]): Certificate[] {
  return ders.flatMap((der) => {
    const certificate = parseCertificate(der);
    return certificate.ok ? [certificate.value] : [];
  });
}

/** Whether the SVID's chain leads to the root that signs now; true also where the bundle does not say which one that is. */
export function isUnderSigningRoot(svid: Svid, { roots, signingRoot }: TrustBundle): boolean {
  const wanted = Buffer.from(signingRoot ?? []).toString('hex');
  const root = parsed(roots).find((each) => fingerprintOf(each) === wanted);
  if (root === undefined) return true;
  return parsed(svid.chainDer.slice(1)).some((each) => signedBy(each, root));
}

/** The same roots, whatever their order, and the same one of them signs. */
export function sameTrust(a: TrustBundle, b: TrustBundle): boolean {
  const key = ({ roots, signingRoot }: TrustBundle) =>
    [...roots.map((der) => Buffer.from(der).toString('base64')).sort(), Buffer.from(signingRoot ?? []).toString('base64')].join();
  return a.trustDomain === b.trustDomain && key(a) === key(b);
}

/** SHA-256 of each root. */
export function fingerprintsOf({ roots }: TrustBundle): Buffer[] {
  return parsed(roots).map((root) => Buffer.from(fingerprintOf(root), 'hex'));
}
