import type { GatewayRecord } from '../../control/catalog/index.ts';
import type { CatalogInput } from '../../control/catalog/reducer.ts';
import { parseObject } from '../../control/config/index.ts';
import type { ClientFact, PreflightFacts, RegistryFact } from '../../control/migrate/preflight/index.ts';
import { authorizationPolicies, callerPolicies } from '../../control/policy/index.ts';
import { createTrafficCompiler } from '../../control/routing/index.ts';
import type { AuthorizationPolicyObject, ConfigObject, ExportPolicyObject, MigrationSpec, TrafficObject } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { clusterId, type ServiceRecord, serviceKey, sourceId } from '../../core/model/index.ts';
import type { RegistryRules } from '../../core/registry/index.ts';
import { formatViolation } from '../../core/validate.ts';
import { gatewayOf } from './catalog-view.ts';
import { viewAfter } from './mesh-history.ts';
import { endpoint, service } from './mesh-records.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** One registry of a cluster, with what it knows. */
export interface RegistrySketch extends Mutable<Omit<RegistryFact, 'id' | 'rules'>> {
  rules: Mutable<RegistryRules>;
  services: ServiceRecord[];
  state: 'live' | 'stale' | 'unknown' | 'expired';
}

type Open = 'view' | 'policies' | 'traffic' | 'objects' | 'exports' | 'registries' | 'hostSuffix' | 'trustDomain';

/** What facts are made of, to be changed at will: records go through the real catalog, documents through the real parser and compiler. */
export interface MigrationScene extends Mutable<Omit<PreflightFacts, Open>> {
  /** Of cluster east. */
  registries: Record<string, RegistrySketch>;
  /** By peer: its sources with what it exports. */
  exported: Record<string, Record<string, ServiceRecord[]>>;
  gateways: GatewayRecord[];
  documents: object[];
}

const rules: RegistryRules = {
  namespace: 'shop',
  rename: {},
  include: [],
  exclude: [],
  claims: ['shop/*'],
  network: 'vms',
  protocol: 'http',
  serviceAccount: 'orders',
  tlsMode: 'mesh',
  locality: '',
};

/** `shop/orders` on two VMs behind consul/dc1, and on two pods of kubernetes/prod, in cluster east; shop/web calls it from network vms. */
export function goodScene(): MigrationScene {
  const vms = ['vm-1', 'vm-2'].map((name, i) => endpoint(name, { network: 'vms', address: `10.0.0.${i + 1}` }));
  const pods = ['pod-1', 'pod-2'].map((name, i) => endpoint(name, { network: 'pods', address: `10.1.0.${i + 1}`, runtime: 'kubernetes' }));
  const stock = service('shop/stock', [endpoint('stock-1', { network: 'vms', address: '10.0.0.9', serviceAccount: 'stock' })]);
  const web = 'mesh.test/ns/shop/sa/web';
  const client: ClientFact = { id: 'web-1', principal: web, kind: 'agent', dialect: 'native', network: 'vms' };
  return {
    registries: {
      'consul/dc1': {
        type: 'consul',
        publish: true,
        takeover: true,
        rules: { ...rules },
        services: [service('shop/orders', vms), stock],
        state: 'live',
      },
      'kubernetes/prod': {
        type: 'kubernetes',
        publish: true,
        takeover: false,
        rules: { ...rules, network: 'pods' },
        services: [service('shop/orders', pods, { createdAt: 2_000 })],
        state: 'live',
      },
    },
    exported: {},
    peers: [],
    gateways: [gatewayOf('vms', 'east', ['192.0.2.1']), gatewayOf('pods', 'east', ['192.0.2.2'])],
    documents: [],
    calls: [
      { source: { principal: web, cluster: 'east' }, destination: serviceKey('shop', 'orders'), requests: 180_000 },
      { source: { principal: 'mesh.test/ns/shop/sa/orders', cluster: 'east' }, destination: serviceKey('shop', 'stock'), requests: 4_000 },
    ],
    seen: { seconds: 3_600, requests: 180_000, connections: 0, errors: 90, p50: 12, p90: 40, p99: 95, inFlight: 3 },
    migrations: [],
    freeze: null,
    limit: 5,
    clients: [client],
    gatewayPorts: [{ service: serviceKey('shop', 'orders'), port: 80 }],
    originateSources: ['office'],
    socketAgents: vms.map(({ network, address }) => ({ network, address })),
  };
}

/** The records of one registry's `shop/orders`, changed. */
export function changeOrders(scene: MigrationScene, registry: string, change: (record: ServiceRecord) => Partial<ServiceRecord>): void {
  const there = scene.registries[registry];
  if (there === undefined) throw new Error(`the scene has no ${registry}`);
  there.services = there.services.map((s) => (s.name === 'orders' ? { ...s, ...change(s) } : s));
}

export function factsOf(scene: MigrationScene): PreflightFacts {
  const { registries, exported, gateways, documents, ...plain } = scene;
  const view = viewAfter([...localInputs(scene), ...peerInputs(scene), { kind: 'gateways', cluster: clusterId('east'), gateways }]);
  const objects = documents.map(parsed);
  const of = (kind: ConfigObject['kind']) => objects.filter((o) => o.kind === kind);
  const exports = of('ExportPolicy') as readonly ExportPolicyObject[];
  const traffic = objects.filter((o) => o.kind !== 'ExportPolicy' && o.kind !== 'AuthorizationPolicy') as readonly TrafficObject[];
  const base = { cluster: 'east', trustDomain: 'mesh.test', exports, peers: new Map(scene.peers.map((p) => [p.cluster, p.namespaces])) };
  return {
    ...plain,
    view,
    trustDomain: 'mesh.test',
    hostSuffix: 'mesh.internal',
    policies: [...callerPolicies(base), authorizationPolicies(of('AuthorizationPolicy') as readonly AuthorizationPolicyObject[])],
    traffic: createTrafficCompiler({ hostSuffix: 'mesh.internal' }).update(traffic, view),
    objects: traffic,
    exports,
    registries: Object.entries(registries).map(([id, { type, publish, takeover, rules: own }]) => ({
      id,
      type,
      publish,
      takeover,
      rules: own,
    })),
  };
}

function localInputs({ registries }: MigrationScene): CatalogInput[] {
  const cluster = clusterId('east');
  return Object.entries(registries).flatMap(
    ([
      id,
      {
        rules: { claims },
        type,
        services,
        state,
      },
    ]) => {
      const source = sourceId(id);
      const inputs: CatalogInput[] = [{ kind: 'add-source', source, scope: { claims, identityNamespaces: ['*'], runtime: type }, at: 0 }];
      if (state === 'unknown') return inputs;
      inputs.push({ kind: 'event', cluster, source, event: { kind: 'snapshot', services, cursor: '1' }, at: 1 });
      if (state === 'live') return inputs;
      const error = new MeshError('REGISTRY_UNREACHABLE', 'connection refused');
      inputs.push({ kind: 'event', cluster, source, event: { kind: 'stale', error }, at: 2 });
      if (state === 'expired') inputs.push({ kind: 'tick', at: 10_000, expireAfterMs: 1_000 });
      return inputs;
    },
  );
}

function peerInputs({ exported, peers }: MigrationScene): CatalogInput[] {
  return peers.flatMap(({ cluster: name, namespaces }) => {
    const cluster = clusterId(name);
    const claims = namespaces.map((n) => `${n}/*`);
    const sources = Object.entries(exported[name] ?? {}).map(
      ([id, services]): CatalogInput => ({
        kind: 'event',
        cluster,
        source: sourceId(id),
        event: { kind: 'snapshot', services, cursor: '1' },
        at: 1,
      }),
    );
    return [{ kind: 'add-peer', cluster, scope: { claims, identityNamespaces: namespaces } } satisfies CatalogInput, ...sources];
  });
}

function parsed(value: object): ConfigObject {
  const { located, violations } = parseObject({ file: 'scene.yaml', value, lineOf: () => 1 }, '/', 'control-planes');
  if (located === undefined) throw new Error(violations.map(formatViolation).join('\n'));
  return located.object;
}

/** A Migration of namespace shop from the fields of its spec; without any, what the schema's defaults make of it. */
export function migrationOf(spec: object = {}): MigrationSpec {
  const sides = { service: 'orders', from: { registry: 'consul/dc1' }, to: { registry: 'kubernetes/prod' } };
  const metadata = { name: 'orders-to-kubernetes-prod', namespace: 'shop' };
  return parsed({ apiVersion: 'isthmus.dev/v1alpha1', kind: 'Migration', metadata, spec: { ...sides, ...spec } }).spec as MigrationSpec;
}
