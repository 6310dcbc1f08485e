import type { JwtKey } from '../../core/pki/index.ts';
import type { SnapshotInputs } from './inputs.ts';
import type { BundleIr, Resource } from './ir.ts';
import { seal } from './seal.ts';

/** The mesh's own bundle first, then those of other trust domains, by their names. What calls itself as the mesh does is no other. */
export function bundleResources({ trust, hostSuffix }: SnapshotInputs): readonly Resource[] {
  const others = (trust.others ?? [])
    .filter((other) => other.trustDomain !== trust.trustDomain && other.roots.length > 0)
    .sort((a, b) => (a.trustDomain < b.trustDomain ? -1 : 1));
  const own = seal('bundle', trust.trustDomain, {
    roots: trust.roots.map(base64).sort(),
    intermediates: trust.intermediates
      .map(({ cluster, certificate }) => ({ cluster, certificate: base64(certificate) }))
      .sort((a, b) => (a.cluster < b.cluster ? -1 : a.cluster > b.cluster ? 1 : a.certificate < b.certificate ? -1 : 1)),
    deniedSerials: [...trust.deniedSerials].sort(),
    ...(trust.signingRoot === undefined ? {} : { signingRoot: base64(trust.signingRoot) }),
    ...jwtKeysOf(trust.jwtKeys),
    hostSuffix,
    ...(others.length === 0 ? {} : { others: others.map((other) => other.trustDomain) }),
  });
  const foreign = others.map(({ trustDomain, roots, jwtKeys }) =>
    seal('bundle', trustDomain, {
      roots: roots.map(base64).sort(),
      intermediates: [],
      deniedSerials: [],
      ...jwtKeysOf(jwtKeys),
      hostSuffix: '',
      federated: true,
    }),
  );
  return [own, ...foreign];
}

function jwtKeysOf(keys: readonly JwtKey[] = []): Pick<BundleIr, 'jwtKeys'> {
  if (keys.length === 0) return {};
  const order = ({ cluster, keyId }: JwtKey) => `${cluster} ${keyId}`;
  const sorted = [...keys].sort((a, b) => (order(a) < order(b) ? -1 : 1));
  const jwtKeys = sorted.map(({ cluster, keyId, publicKey, notAfterMs, namespaces }) => {
    return { cluster, keyId, publicKey: base64(publicKey), notAfterMs, namespaces: [...namespaces].sort() };
  });
  return { jwtKeys };
}

const base64 = (der: Uint8Array) => Buffer.from(der).toString('base64');
