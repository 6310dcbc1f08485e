import type { CatalogEndpoint, CatalogView, GatewayRecord, MergedService } from '../../control/catalog/index.ts';
import { noTraffic, type SnapshotInputs } from '../../control/snapshot/index.ts';
import {
  clusterId,
  type EndpointRecord,
  endpointKey,
  networkId,
  noLocality,
  type ServiceKey,
  type ServicePort,
  serviceKey,
  sourceId,
} from '../../core/model/index.ts';

export interface EndpointSketch extends Partial<Omit<EndpointRecord, 'network'>> {
  readonly instance: string;
  readonly cluster?: string;
  readonly network?: string;
  readonly state?: 'live' | 'stale';
  /** Of its cluster, all that speak of it, the winner first. Default file/test. */
  readonly sources?: readonly string[];
}

export const httpPort: ServicePort = { name: 'http', port: 8080, protocol: 'http' };

/** One endpoint of a service in cluster east, network a, with a sidecar, unless the sketch says otherwise. */
function endpointOf({ sources = [], ...sketch }: EndpointSketch): CatalogEndpoint {
  const cluster = clusterId(sketch.cluster ?? 'east');
  const source = sourceId(sources[0] ?? 'file/test');
  const record = {
    address: '10.0.0.1',
    ports: { http: 9090 },
    health: 'healthy',
    weight: 1,
    locality: noLocality,
    labels: {},
    identityNamespace: 'shop',
    serviceAccount: 'orders',
    tlsMode: 'mesh',
    runtime: 'vm',
    attested: true,
    state: 'live',
    ...sketch,
  } as const;
  return {
    ...record,
    network: networkId(sketch.network ?? 'a'),
    cluster,
    source,
    key: endpointKey(cluster, source, sketch.instance),
    provenance: sources.map((each) => {
      const { instance, attested, health, state, labels } = record;
      return { cluster, source: sourceId(each), instance, attested, health, state, labels };
    }),
  };
}

export function serviceOf(name: string, endpoints: readonly EndpointSketch[], ports: readonly ServicePort[] = [httpPort]): MergedService {
  const all = endpoints.map(endpointOf);
  const origins = [...new Set(all.map((e) => e.cluster))];
  return {
    key: serviceKey('shop', name),
    namespace: 'shop',
    name,
    ports,
    endpoints: all,
    labels: {},
    createdAt: 1,
    contributions: origins.map((cluster) => ({ cluster, source: sourceId('file/test'), state: 'live', ports, labels: {}, createdAt: 1 })),
    networks: [...new Set(all.map((e) => e.network))].sort(),
    conditions: [],
  };
}

export function gatewayOf(
  network: string,
  cluster: string,
  addresses: readonly string[],
  more: Partial<GatewayRecord> = {},
): GatewayRecord {
  const base = {
    cluster: clusterId(cluster),
    network: networkId(network),
    instance: `gw-${network}-${addresses[0] ?? ''}`,
    addresses,
    port: 15443,
  };
  return { ...base, healthy: true, draining: false, ...more };
}

export function viewOf(services: readonly MergedService[], gateways: readonly GatewayRecord[] = [], revision = 1): CatalogView {
  const byNetwork = new Map(gateways.map((g) => [g.network, gateways.filter((o) => o.network === g.network)]));
  const local = services.filter((s) => s.endpoints.some((e) => e.cluster === 'east'));
  const keyed = (list: readonly MergedService[]) => new Map<ServiceKey, MergedService>(list.map((s) => [s.key, s]));
  return {
    revision,
    cluster: clusterId('east'),
    services: keyed(services),
    local: keyed(local),
    withheld: new Map(),
    gateways: byNetwork,
    sources: [],
  };
}

export function inputsOf(view: CatalogView, more: Partial<SnapshotInputs> = {}): SnapshotInputs {
  const trust = { trustDomain: 'mesh.test', roots: [Buffer.from('root')], intermediates: [], deniedSerials: [] };
  return { view, hostSuffix: 'mesh.internal', trust, policies: [], traffic: noTraffic, gatewayPorts: [], originateCidrs: [], ...more };
}
