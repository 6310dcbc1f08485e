import { service } from '../../support/mesh-records.ts';
import { changeOrders } from '../../support/preflight-scene.ts';
import { allow, pod, prod } from './scene-changes.ts';
import type { WrongRow } from './wrong-row.ts';

/** What is wrong for those who call it: permissions, exports, networks, capacity. */
export const wrongCallers: readonly WrongRow[] = [
  {
    title: 'callers that the labels of the new side shut out',
    scene: (s) => {
      changeOrders(s, 'kubernetes/prod', (r) => ({ endpoints: r.endpoints.map((e) => ({ ...e, labels: { tier: 'inner' } })) }));
      s.documents.push(allow('inner', { tier: 'inner' }, ['mesh.test/ns/shop/sa/admin']));
    },
    expect: [['permissions', 'warn', 'mesh.test/ns/shop/sa/web of east tried 180000 times and is refused already', '']],
  },
  {
    title: 'a policy that selects the old side alone',
    scene: (s) => {
      changeOrders(s, 'consul/dc1', (r) => ({ endpoints: r.endpoints.map((e) => ({ ...e, labels: { host: 'vm' } })) }));
      s.documents.push(allow('vms', { host: 'vm' }, ['mesh.test/ns/shop/sa/web']));
    },
    expect: [
      [
        'permissions',
        'fail',
        'AuthorizationPolicy shop/vms selects shop/orders by labels that kubernetes/prod does not have',
        'give the new instances the labels',
      ],
    ],
  },
  {
    title: 'callers that nobody knows',
    scene: (s) => {
      s.calls = undefined;
    },
    expect: [['permissions', 'warn', 'no proxy reports traffic: who calls the service is not known', 'let a proxy report']],
  },
  {
    title: 'a peer that does not export it',
    request: { to: { cluster: 'west', registry: 'kubernetes/west' } },
    scene: (s) => {
      s.peers = [{ cluster: 'west', namespaces: ['*'], connected: true }];
      s.exported = { west: { 'kubernetes/west': [service('shop/other', [pod('a')])] } };
      prod(s).services = [];
    },
    expect: [
      ['service', 'warn', 'west/kubernetes/west has no endpoint of shop/orders yet', 'deploy there'],
      [
        'exports',
        'fail',
        'west does not export shop/orders of kubernetes/west to east, or has none',
        'in west, deploy it and apply an ExportPolicy in namespace shop with services: [orders], audience: [east]',
      ],
      ['network', 'warn', 'on which network west/kubernetes/west will be is not known yet', 'plan again once an endpoint is registered'],
    ],
  },
  {
    title: 'callers of a peer that the new side is not exported to',
    scene: (s) => {
      s.peers = [{ cluster: 'west', namespaces: ['*'], connected: true }];
      changeOrders(s, 'consul/dc1', () => ({ labels: { exported: 'yes' } }));
      s.documents.push({
        apiVersion: 'isthmus.dev/v1alpha1',
        kind: 'ExportPolicy',
        metadata: { name: 'out', namespace: 'shop' },
        spec: { services: ['*'], labels: { exported: 'yes' }, audience: ['west'] },
      });
      s.calls = [
        ...(s.calls ?? []),
        { source: { principal: 'mesh.test/ns/shop/sa/till', cluster: 'west' }, destination: 'shop/orders' as never, requests: 70 },
      ];
    },
    expect: [
      [
        'permissions',
        'fail',
        'mesh.test/ns/shop/sa/till of west would be refused by kubernetes/prod: no rule allows',
        'or export the service to west',
      ],
      [
        'exports',
        'fail',
        'callers in west would not see kubernetes/prod: the policy that exports it selects labels of the old side alone',
        'apply an ExportPolicy in namespace shop with services: [orders], audience: [west]',
      ],
      ['exports', 'warn', 'callers in west follow the weights', 'run the Migration where most callers are'],
    ],
  },
  {
    title: 'a network without a gateway',
    scene: (s) => {
      s.gateways = s.gateways.filter((g) => g.network !== 'pods');
    },
    expect: [
      [
        'network',
        'fail',
        'kubernetes/prod is on network pods, callers are on vms, and network pods has no gateway',
        'run a gateway on network pods',
      ],
    ],
  },
  {
    title: 'a network whose gateway is not healthy',
    scene: (s) => {
      s.gateways = s.gateways.map((g) => (g.network === 'pods' ? { ...g, healthy: false } : g));
    },
    expect: [
      ['network', 'fail', 'network pods has no gateway that takes traffic: gw-pods-192.0.2.2 is not healthy', 'that the others can dial'],
    ],
  },
  {
    title: 'no way back for callers on the new network',
    scene: (s) => {
      s.clients = s.clients.map((c) => ({ ...c, network: 'pods' }));
      s.gateways = s.gateways.filter((g) => g.network !== 'vms');
    },
    expect: [
      [
        'network',
        'fail',
        'consul/dc1 is on network vms, and network vms has no gateway: from pods there is no way back to it',
        'so that a rollback reaches everybody',
      ],
    ],
  },
  {
    title: 'no way back for whoever moves along',
    scene: (s) => {
      s.gateways = s.gateways.map((g) => (g.network === 'vms' ? { ...g, draining: true } : g));
    },
    expect: [['network', 'warn', 'gw-vms-192.0.2.1 is draining: from pods there is no way back to it', 'run a gateway on network vms']],
  },
  {
    title: 'clients whose traffic nobody counts',
    scene: (s) => {
      for (const id of ['consul/dc1', 'kubernetes/prod'])
        changeOrders(s, id, () => ({ ports: [{ name: 'http', port: 80, protocol: 'grpc' }] }));
      s.clients = [...s.clients, { id: 'node-1', principal: 'mesh.test/ns/shop/sa/node', kind: 'agent', dialect: 'grpc', network: 'vms' }];
    },
    expect: [
      [
        'network',
        'warn',
        '1 proxyless gRPC client connected: they follow the weights and report nothing',
        "gate on the servers' own metrics",
      ],
    ],
  },
  {
    title: 'clients that could not trust the other cluster',
    request: { to: { cluster: 'west', registry: 'kubernetes/west' } },
    scene: (s) => {
      const ports = [{ name: 'http', port: 80, protocol: 'grpc' as const }];
      changeOrders(s, 'consul/dc1', () => ({ ports }));
      prod(s).services = [];
      s.peers = [{ cluster: 'west', namespaces: ['*'], connected: true }];
      s.exported = { west: { 'kubernetes/west': [service('shop/orders', [pod('a'), pod('b', { address: '10.1.0.2' })], { ports })] } };
      s.calls = s.calls?.filter((c) => c.destination === 'shop/orders');
      const client = { id: 'node-1', principal: 'mesh.test/ns/shop/sa/node', kind: 'agent', dialect: 'grpc', network: 'vms' } as const;
      s.clients = [...s.clients, { ...client, anchors: ['east'] }];
    },
    expect: [
      ['permissions', 'warn', 'shop/stock would refuse orders', 'export shop/stock to west'],
      ['network', 'fail', 'proxyless gRPC clients node-1 have no anchor of west: they could not trust', 'isthmus grpc bootstrap'],
      ['network', 'warn', '1 proxyless gRPC client connected', 'gate on'],
    ],
  },
  {
    title: 'a new side that is too small',
    scene: (s) => changeOrders(s, 'kubernetes/prod', (r) => ({ endpoints: r.endpoints.slice(0, 1) })),
    expect: [
      [
        'capacity',
        'fail',
        'kubernetes/prod has 1 healthy endpoint for what 2 carry on consul/dc1: at 100 % each would carry 200 % of what each did (3 requests at once were seen, 1.5 for each; there it would be 3), above 120 %',
        'bring up at least 2 on kubernetes/prod; where each can carry more, say so with a saturation gate of max 200% (as it is, 60 % of the traffic fit)',
      ],
    ],
  },
  {
    title: 'a service that nobody calls',
    scene: (s) => {
      s.seen = undefined;
    },
    expect: [
      ['capacity', 'warn', 'no traffic was seen: what an endpoint of consul/dc1 carries is not known', 'plan again under the usual load'],
    ],
  },
];
