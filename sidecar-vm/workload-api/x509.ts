import type { Svid, TrustBundle } from '../../core/identity/index.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import type { X509BundlesResponse, X509SVIDResponse } from '../../core/xds/gen/spiffe/workload/workload.ts';

/**
 * What FetchX509SVID says to whoever this SVID belongs to. The bytes hold the private key: they go to that caller's connection and nowhere
 * else. `bundles`: our own trust domain's, and those of others.
 */
export function x509SvidResponse(svid: Svid, hint: string, bundles: readonly TrustBundle[]): X509SVIDResponse {
  const { trustDomain } = svid.spiffeId;
  const own = bundles.filter((bundle) => bundle.trustDomain === trustDomain);
  const foreign = bundles.filter((bundle) => bundle.trustDomain !== trustDomain);
  return {
    svids: [
      {
        spiffeId: formatSpiffeId(svid.spiffeId),
        x509Svid: Buffer.concat(svid.chainDer),
        x509SvidKey: svid.key.export({ type: 'pkcs8', format: 'der' }),
        bundle: Buffer.concat(own.flatMap(({ roots }) => roots)),
        hint,
      },
    ],
    crl: [],
    federatedBundles: byTrustDomain(foreign),
  };
}

export function x509BundlesResponse(bundles: readonly TrustBundle[]): X509BundlesResponse {
  return { crl: [], bundles: byTrustDomain(bundles) };
}

/** A trust domain of which no root is known is left out: an empty bundle is no bundle. */
function byTrustDomain(bundles: readonly TrustBundle[]): { [trustDomain: string]: Buffer } {
  const known = bundles.filter(({ roots }) => roots.length > 0);
  return Object.fromEntries(known.map(({ trustDomain, roots }) => [`spiffe://${trustDomain}`, Buffer.concat(roots)]));
}
