import type { MeshObject } from '../../core/config/index.ts';
import type { Violation } from '../../core/validate.ts';
import { violation } from '../../core/yaml/index.ts';
import type { Located } from './parse-object.ts';
import { parseHostPort } from './schema/fields.ts';
import { memberFault, principalFault } from './schema/principal-pattern.ts';

/** What no object shows alone. `broken`: some documents were refused, so that absence proves nothing. */
export function crossCheck(all: readonly Located[], files: readonly string[], broken: boolean): Violation[] {
  const meshes = all.filter((l): l is Located<MeshObject> => l.object.kind === 'Mesh');
  const found: Violation[] = [];
  if (meshes.length === 0 && !broken) {
    found.push({
      path: '',
      message: 'a Mesh object is missing: exactly one is needed',
      ...(files[0] === undefined ? {} : { file: files[0] }),
    });
  }
  for (const extra of meshes.slice(1)) {
    found.push(violation(extra.document, ['kind'], `a second Mesh: the first is ${meshes[0] === undefined ? '' : place(meshes[0])}`));
  }
  found.push(...duplicates(all), ...duplicatePeers(all, meshes[0]?.object.spec.cluster));
  found.push(...publishers(all), ...foreignPrincipals(all, meshes[0]?.object.spec.trustDomain, federatedWith(all)));
  found.push(...federations(all, meshes[0]?.object.spec.trustDomain));
  for (const mesh of meshes) found.push(...lifetimes(mesh), ...ports(mesh), ...etcdFiles(mesh));
  return found;
}

function place(located: Located): string {
  return `at ${located.document.file}:${located.document.lineOf([])}`;
}

function duplicates(all: readonly Located[]): Violation[] {
  const seen = new Map<string, Located>();
  return all.flatMap((located) => {
    const { kind, namespace, name } = located.object;
    const group = 'group' in located.object ? located.object.group : '';
    const key = `${group}/${kind}/${namespace}/${name}`;
    const first = seen.get(key);
    if (first === undefined) {
      seen.set(key, located);
      return [];
    }
    return [violation(located.document, ['metadata', 'name'], `${kind} ${name} is there already, ${place(first)}`)];
  });
}

function duplicatePeers(all: readonly Located[], own: string | undefined): Violation[] {
  const seen = new Map<string, Located>();
  return all.flatMap((located) => {
    if (located.object.kind !== 'Peer') return [];
    const { cluster } = located.object.spec;
    const at = (message: string) => [violation(located.document, ['spec', 'cluster'], message)];
    if (cluster === own) return at('is this cluster itself');
    const first = seen.get(cluster);
    if (first !== undefined) return at(`has a Peer object already, ${place(first)}`);
    seen.set(cluster, located);
    return [];
  });
}

/** Where nothing can be registered from outside, `publish` would be a promise that nobody keeps; so would `takeover` without it. */
function publishers(all: readonly Located[]): Violation[] {
  return all.flatMap(({ object, document }) => {
    if (object.kind !== 'Registry') return [];
    const { publish, takeover = false, type } = object.spec;
    const why =
      type === 'nomad'
        ? 'Nomad takes no registrations from outside: publish in the Consul that its tasks ask'
        : 'a folder is only read: publish in a Consul or Kubernetes Registry';
    if (type === 'nomad' || type === 'file') {
      return [...(publish ? ['publish'] : []), ...(takeover ? ['takeover'] : [])].map((field) => violation(document, ['spec', field], why));
    }
    return takeover && !publish
      ? [violation(document, ['spec', 'takeover'], 'takes nothing over where nothing is written: set publish: true as well')]
      : [];
  });
}

function federatedWith(all: readonly Located[]): string[] {
  return all.flatMap(({ object }) => (object.kind === 'FederatedTrustDomain' ? [object.spec.trustDomain] : []));
}

/** Each other trust domain once, and never the mesh's own: its bundle would then be whatever an endpoint says. */
function federations(all: readonly Located[], own: string | undefined): Violation[] {
  const seen = new Map<string, Located>();
  return all.flatMap((located) => {
    if (located.object.kind !== 'FederatedTrustDomain') return [];
    const { trustDomain } = located.object.spec;
    const at = (message: string) => [violation(located.document, ['spec', 'trustDomain'], message)];
    if (trustDomain === own) return at('is the trust domain of this mesh: clusters of one mesh join as peers');
    const first = seen.get(trustDomain);
    if (first !== undefined) return at(`is federated with already, ${place(first)}`);
    seen.set(trustDomain, located);
    return [];
  });
}

/** A principal of a trust domain that no SVID here can be of matches nobody: a DENY would protect nothing. */
export function foreignPrincipals(
  all: readonly Located[],
  trustDomain: string | undefined,
  federated: readonly string[] | 'any' = [],
): Violation[] {
  if (trustDomain === undefined) return [];
  return all.flatMap(({ object, document }) => {
    if (object.kind !== 'AuthorizationPolicy') return [];
    const patterns = object.spec.rules.flatMap(({ from }, r) =>
      from.flatMap((source, f) =>
        (['principals', 'notPrincipals'] as const).flatMap((field) =>
          source[field].map((pattern, p) => ({ pattern, path: ['spec', 'rules', r, 'from', f, 'source', field, p] })),
        ),
      ),
    );
    return patterns.flatMap(({ pattern, path }) => {
      // What is wrong with it in any mesh has been said.
      const fault = principalFault(pattern) === undefined ? memberFault(pattern, trustDomain, federated) : undefined;
      return fault === undefined ? [] : [violation(document, path, fault)];
    });
  });
}

const hour = 3_600_000;
const week = 7 * 24 * hour;

function lifetimes({ object, document }: Located<MeshObject>): Violation[] {
  const { identity, trustDomain, catalog } = object.spec;
  const testing = trustDomain === 'test' || trustDomain.endsWith('.test');
  const found: Violation[] = [];
  const least = testing ? 1000 : hour;
  if (identity.svidTtlMs < least || identity.svidTtlMs > week) {
    const hint = testing ? '1s to 7d' : '1h to 7d; shorter ones are for trust domains under .test';
    found.push(violation(document, ['spec', 'identity', 'svidTtl'], `is out of bounds: ${hint}`));
  }
  if (identity.intermediateTtlMs <= identity.svidTtlMs) {
    found.push(violation(document, ['spec', 'identity', 'intermediateTtl'], 'must be longer than svidTtl: no SVID may outlive its issuer'));
  }
  if (catalog.agentTtlMs < 1000) found.push(violation(document, ['spec', 'catalog', 'agentTtl'], 'must be at least 1s'));
  return found;
}

function ports({ object, document }: Located<MeshObject>): Violation[] {
  const { originate, ...spec } = object.spec;
  const [low, high] = originate.portRange;
  const seen = new Map<string, string>();
  return (['grpc', 'api', 'health'] as const).flatMap((name) => {
    const port = parseHostPort(spec[name].listen)?.port ?? 0;
    if (port === 0) return [];
    const at = (message: string) => [violation(document, ['spec', name, 'listen'], message)];
    const other = seen.get(spec[name].listen);
    seen.set(spec[name].listen, name);
    if (other !== undefined) return at(`is the address of spec.${other} too`);
    return port >= low && port <= high ? at(`port ${port} is in spec.originate.portRange ${low}-${high}, which is for gateways`) : [];
  });
}

function etcdFiles({ object, document }: Located<MeshObject>): Violation[] {
  const { store } = object.spec;
  if (store.kind !== 'etcd' || (store.certFile === undefined) === (store.keyFile === undefined)) return [];
  return [violation(document, ['spec', 'store'], 'certFile and keyFile go together')];
}
