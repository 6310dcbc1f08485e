import type { CatalogInput } from '../../control/catalog/reducer.ts';
import { callerPolicies } from '../../control/policy/index.ts';
import { noTraffic, type SnapshotInputs } from '../../control/snapshot/index.ts';
import type { ExportPolicyObject } from '../../core/config/index.ts';
import type { ClusterId } from '../../core/model/index.ts';
import { clusterId, networkId, serviceKey, sourceId } from '../../core/model/index.ts';
import { viewAfter } from './mesh-history.ts';
import { endpoint, httpPort, service } from './mesh-records.ts';

const east = clusterId('east');
const west = clusterId('west');
const scope = { claims: ['*'], identityNamespaces: ['*'] };

function says(cluster: ClusterId, source: string, services: ReturnType<typeof service>[]): CatalogInput {
  return { kind: 'event', cluster, source: sourceId(source), event: { kind: 'snapshot', services, cursor: '' }, at: 0 };
}

function gateways(cluster: ClusterId, network: string, addresses: readonly string[]): CatalogInput {
  const list = addresses.map((address, i) => ({ instance: `gw-${i}`, addresses: [address] }));
  const common = { cluster, network: networkId(network), port: 15443, healthy: true, draining: false };
  return { kind: 'gateways', cluster, gateways: list.map((g) => ({ ...g, ...common })) };
}

/** VM → Kubernetes, a service that both clusters have, one without sidecars, and every state that an endpoint may be in. */
const scene: CatalogInput[] = [
  { kind: 'add-source', source: sourceId('vm'), scope, at: 0 },
  { kind: 'add-source', source: sourceId('consul/dc1'), scope, at: 0 },
  { kind: 'add-peer', cluster: west, scope },
  says(east, 'vm', [
    service('shop/orders', [
      endpoint('vm-1', {
        address: '10.0.0.1',
        ports: { http: 15006 },
        attested: true,
        locality: { region: 'eu', zone: 'eu-a', subzone: '' },
      }),
      endpoint('vm-2', { address: '10.0.0.2', ports: { http: 15006 }, health: 'draining' }),
      endpoint('vm-3', { address: '10.0.0.3', ports: { http: 15006 }, health: 'unhealthy' }),
    ]),
  ]),
  says(east, 'consul/dc1', [
    service('shop/catalog', [endpoint('node-1', { address: '10.0.0.9', tlsMode: 'none', runtime: 'consul' })], {
      ports: [httpPort, { name: 'metrics', port: 9090, protocol: 'http' }],
    }),
    service('shop/ledger', [endpoint('node-2', { address: '10.0.0.8', ports: { sql: 5432 }, tlsMode: 'none', runtime: 'consul' })], {
      ports: [{ name: 'sql', port: 5432, protocol: 'tcp' }],
    }),
  ]),
  says(west, 'kubernetes', [
    service('shop/orders', [
      endpoint('pod-1', { network: 'west-net', address: '10.1.0.1', runtime: 'kubernetes', serviceAccount: 'orders-v2' }),
      endpoint('pod-2', { network: 'west-net', address: '10.1.0.2', runtime: 'kubernetes', weight: 2 }),
      endpoint('pod-3', { network: 'west-net', address: '10.1.0.3', runtime: 'kubernetes', tlsMode: 'none' }),
    ]),
    service('shop/payments', [
      endpoint('pod-9', { network: 'west-net', address: '10.1.0.9', runtime: 'kubernetes', serviceAccount: 'payments' }),
    ]),
  ]),
  gateways(east, 'east-net', ['192.0.2.1']),
  gateways(west, 'west-net', ['198.51.100.1', '198.51.100.2']),
];

const exports: ExportPolicyObject[] = [
  { kind: 'ExportPolicy', name: 'shop', namespace: 'shop', spec: { services: ['orders', 'catalog'], labels: {}, audience: ['west'] } },
];

/** What golden files of every dialect are made from, as cluster `east` sees it. */
export function goldenInputs(): SnapshotInputs {
  return {
    view: viewAfter(scene),
    hostSuffix: 'mesh.internal',
    trust: {
      trustDomain: 'mesh.test',
      roots: [Buffer.from('a root')],
      intermediates: [
        { cluster: 'west', certificate: Buffer.from('of west') },
        { cluster: 'east', certificate: Buffer.from('of east') },
      ],
      deniedSerials: ['0b', '0a'],
    },
    policies: callerPolicies({ cluster: 'east', trustDomain: 'mesh.test', exports, peers: new Map([['west', ['shop']]]) }),
    traffic: noTraffic,
    gatewayPorts: [{ service: serviceKey('shop', 'payments'), port: 80, gatewayPort: 16_000 }],
    originateCidrs: ['10.0.0.0/24'],
  };
}
