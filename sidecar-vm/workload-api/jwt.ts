import type { TrustBundle } from '../../core/identity/index.ts';
import { publicJwk } from '../../core/jwt/index.ts';
import type { JWTBundlesResponse } from '../../core/xds/gen/spiffe/workload/workload.ts';

/**
 * What FetchJWTBundles says: a JWK Set for each trust domain, without `use`, as all its keys are for JWT-SVIDs. The own one always; of others those that have keys. Who
 * reads it believes each key for every identity of its trust domain: keys that may sign for some alone are left out, and ValidateJWTSVID knows them.
 */
export function jwtBundlesResponse(bundles: readonly TrustBundle[]): JWTBundlesResponse {
  const sets = bundles.flatMap(({ trustDomain, federated, jwtKeys = [] }) => {
    const free = jwtKeys.filter(({ namespaces }) => namespaces.includes('*'));
    if (federated === true && free.length === 0) return [];
    // One key, one name, whoever claims it.
    const keys = [...new Map(free.map(({ keyId, publicKey }) => [keyId, { ...publicJwk(publicKey), kid: keyId }])).values()];
    return [[`spiffe://${trustDomain}`, Buffer.from(JSON.stringify({ keys }))] as const];
  });
  return { bundles: Object.fromEntries(sets) };
}
