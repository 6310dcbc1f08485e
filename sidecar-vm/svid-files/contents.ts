import { type Svid, svidKeyPem, type TrustBundle } from '../../core/identity/index.ts';
import { certificatesToPem, pkcs12KeyStore, pkcs12TrustStore } from '../../core/pki/index.ts';

export interface Pkcs12Options {
  readonly password: string;
  readonly alias: string;
}

/** File name → content. `bundles`: every trust domain's; those of others are for programs that are told which of them to believe. */
export function svidFiles(
  svid: Svid,
  bundles: readonly TrustBundle[],
  pkcs12: Pkcs12Options | undefined,
): ReadonlyMap<string, string | Buffer> {
  const { trustDomain } = svid.spiffeId;
  const roots = bundles.filter((bundle) => bundle.trustDomain === trustDomain).flatMap((bundle) => bundle.roots);
  const key = svidKeyPem(svid);
  const files = new Map<string, string | Buffer>([
    ['cert.pem', svid.chainPem],
    ['key.pem', key],
    // Both in one, for who reads them apart and might meet a renewal in between.
    ['identity.pem', `${svid.chainPem}${key}`],
    ['bundle.pem', certificatesToPem(roots)],
  ]);
  for (const bundle of bundles)
    if (bundle.trustDomain !== trustDomain) files.set(`bundle-${bundle.trustDomain}.pem`, certificatesToPem(bundle.roots));
  if (pkcs12 !== undefined) {
    files.set('keystore.p12', pkcs12KeyStore({ key: svid.key, chain: svid.chainDer, alias: pkcs12.alias }, pkcs12.password));
    const entries = roots.map((certificate, at) => ({ alias: `root-${at + 1}`, certificate }));
    files.set('truststore.p12', pkcs12TrustStore(entries, pkcs12.password));
  }
  return files;
}
