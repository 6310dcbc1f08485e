import { endpoint, service } from '../../support/mesh-records.ts';
import { changeOrders, type MigrationScene } from '../../support/preflight-scene.ts';
import type { WrongRow } from './wrong-row.ts';

const registryOf = (scene: MigrationScene, id: string) => {
  const found = scene.registries[id];
  if (found === undefined) throw new Error(`no ${id}`);
  return found;
};
const prod = (scene: MigrationScene) => registryOf(scene, 'kubernetes/prod');
const dc1 = (scene: MigrationScene) => registryOf(scene, 'consul/dc1');
const pod = (name: string, more: Parameters<typeof endpoint>[1] = {}) =>
  endpoint(name, { network: 'pods', address: '10.1.0.1', runtime: 'kubernetes', ...more });
const allow = (name: string, selector: object, principals: readonly string[]) => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name, namespace: 'shop' },
  spec: { selector: { matchLabels: selector }, action: 'ALLOW', rules: [{ from: [{ source: { principals } }] }] },
});

/** What is wrong with the two places, and with the service on them. */
export const wrongSides: readonly WrongRow[] = [
  {
    title: 'both sides are the same',
    request: { to: { cluster: 'east', registry: 'consul/dc1' } },
    expect: [['sides', 'fail', 'both sides are consul/dc1', 'name another registry, or another cluster']],
  },
  {
    title: 'a cluster that is no peer',
    request: { to: { cluster: 'wets', registry: 'kubernetes/prod' } },
    scene: (s) => {
      s.peers = [{ cluster: 'west', namespaces: ['*'], connected: true }];
    },
    expect: [['sides', 'fail', 'cluster wets is not known; did you mean west?', 'use east and west, or let the cluster join']],
  },
  {
    title: 'a source that is not there',
    request: { to: { cluster: '', registry: 'kubernetes/prd' } },
    expect: [['sides', 'fail', 'east has no source kubernetes/prd; did you mean kubernetes/prod?', 'use consul/dc1 and kubernetes/prod']],
  },
  {
    title: 'a peer that has told nothing',
    request: { to: { cluster: 'west', registry: 'kubernetes/prod' } },
    scene: (s) => {
      s.peers = [{ cluster: 'west', namespaces: ['*'], connected: true }];
    },
    expect: [['sides', 'fail', 'west has no source kubernetes/prod', 'west has told nothing yet: check `isthmus peer list`']],
  },
  {
    title: 'a new side that was lost',
    scene: (s) => {
      prod(s).state = 'stale';
    },
    expect: [
      ['sides', 'fail', 'kubernetes/prod is stale: what it holds is not known to be current (connection refused)', 'begin once it is live'],
    ],
  },
  {
    title: 'an old side that was lost',
    scene: (s) => {
      dc1(s).state = 'stale';
    },
    expect: [['sides', 'fail', 'consul/dc1 is stale', 'check `isthmus status` and that consul/dc1 answers']],
  },
  {
    title: 'a new side that was never read',
    scene: (s) => {
      prod(s).state = 'unknown';
    },
    expect: [
      ['sides', 'fail', 'kubernetes/prod has never been read', 'begin once it is live'],
      ['service', 'warn', 'kubernetes/prod has no endpoint of shop/orders yet', 'apply the Migration, then deploy there'],
    ],
  },
  {
    title: 'a new side that was lost so long ago that it has expired',
    scene: (s) => {
      prod(s).state = 'expired';
    },
    expect: [
      ['sides', 'fail', 'kubernetes/prod was lost so long ago that nothing of it is served', 'begin once it is live'],
      ['service', 'warn', 'kubernetes/prod has no endpoint of shop/orders yet', 'deploy there'],
    ],
  },
  {
    title: 'a peer whose control plane is not connected',
    request: { to: { cluster: 'west', registry: 'kubernetes/west' } },
    scene: (s) => {
      s.peers = [{ cluster: 'west', namespaces: ['*'], connected: false }];
      s.exported = { west: { 'kubernetes/west': [service('shop/orders', [pod('a'), pod('b', { address: '10.1.0.2' })])] } };
      prod(s).services = [];
    },
    expect: [
      ['sides', 'fail', 'west is not connected: its callers would not hear of new weights', 'check `isthmus peer list`'],
      [
        'permissions',
        'fail',
        'shop/stock would refuse orders when it calls from west/kubernetes/west: no rule allows mesh.test/ns/shop/sa/orders of west',
        'and export shop/stock to west',
      ],
    ],
  },
  {
    title: 'no such service',
    request: { service: 'order' },
    expect: [['service', 'fail', 'there is no service shop/order; did you mean shop/orders?', 'look it up with `isthmus status']],
  },
  {
    title: 'a service that the old side does not have',
    request: { from: { cluster: '', registry: 'kubernetes/prod' }, to: { cluster: '', registry: 'consul/dc1' }, service: 'stock' },
    expect: [['service', 'fail', 'kubernetes/prod has no endpoint of shop/stock', 'name the side that serves stock now: consul/dc1']],
  },
  {
    title: 'an old side where nobody is healthy',
    scene: (s) => changeOrders(s, 'consul/dc1', (r) => ({ endpoints: r.endpoints.map((e) => ({ ...e, health: 'unhealthy' })) })),
    expect: [
      ['service', 'fail', 'none of the 2 endpoints on consul/dc1 is healthy: there would be nothing to go back to', 'vm-1 is unhealthy'],
    ],
  },
  {
    title: 'a new side where nobody is healthy',
    scene: (s) => changeOrders(s, 'kubernetes/prod', (r) => ({ endpoints: r.endpoints.map((e) => ({ ...e, health: 'draining' })) })),
    expect: [['service', 'fail', 'none of the 2 endpoints on kubernetes/prod is healthy', 'bring them up first: pod-1 is draining']],
  },
  {
    title: 'a new side that has nobody yet',
    scene: (s) => {
      prod(s).services = [];
    },
    expect: [['service', 'warn', 'kubernetes/prod has no endpoint of shop/orders yet', 'it gets no traffic before the start']],
  },
  {
    title: 'instances that both registries report',
    scene: (s) => changeOrders(s, 'kubernetes/prod', () => ({ endpoints: dc1(s).services[0]?.endpoints ?? [] })),
    expect: [
      ['service', 'fail', 'consul/dc1 and kubernetes/prod both report vm-1 (10.0.0.1) and vm-2 (10.0.0.2)', 'at addresses of their own'],
      ['service', 'warn', 'kubernetes/prod has no endpoint', 'deploy there'],
    ],
  },
  {
    title: 'endpoints of a third registry',
    scene: (s) => {
      const instance = endpoint('job-1', { network: 'vms', address: '10.0.0.7', runtime: 'nomad' });
      s.registries['nomad/dc1'] = { ...dc1(s), type: 'nomad', services: [service('shop/orders', [instance])] };
    },
    expect: [['service', 'warn', '1 endpoint of shop/orders on east/nomad/dc1 is on neither side', 'can carry all of the traffic']],
  },
  {
    title: 'a ServiceEntry outside the mesh',
    scene: (s) => {
      s.documents.push({
        apiVersion: 'networking.istio.io/v1',
        kind: 'ServiceEntry',
        metadata: { name: 'orders', namespace: 'shop' },
        spec: {
          hosts: ['orders.example.com'],
          location: 'MESH_EXTERNAL',
          resolution: 'DNS',
          ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
        },
      });
    },
    expect: [['service', 'fail', 'shop/orders is a ServiceEntry outside the mesh (MESH_EXTERNAL)', 'register its instances in a registry']],
  },
  {
    title: 'a headless service',
    scene: (s) => {
      s.native = { 'kubernetes/prod': { headless: true } };
    },
    expect: [['service', 'warn', 'shop/orders is headless in kubernetes/prod', "call the service's own name"]],
  },
  {
    title: 'a service that is spoken to over UDP too',
    scene: (s) => {
      s.native = { 'consul/dc1': { udpPorts: [53] } };
    },
    expect: [
      ['service', 'warn', 'shop/orders has UDP ports (53), which the mesh does not carry', 'move what is spoken over UDP by other means'],
    ],
  },
  {
    title: 'a new side that may not publish the name',
    scene: (s) => {
      prod(s).rules.claims = ['shop/web'];
    },
    expect: [
      ['service', 'warn', 'kubernetes/prod has no endpoint', 'deploy there'],
      [
        'names',
        'fail',
        'NameCollision: kubernetes/prod of east reports shop/orders, and consul/dc1 claims it',
        'add `- shop/orders` under spec.mapping.claims of Registry kubernetes/prod',
      ],
    ],
  },
  {
    title: 'a new side without a claim to what it will have',
    scene: (s) => {
      prod(s).services = [];
      prod(s).rules.claims = [];
    },
    expect: [
      ['service', 'warn', 'kubernetes/prod has no endpoint', 'deploy there'],
      [
        'names',
        'fail',
        'kubernetes/prod may not publish shop/orders: it would be withheld (NotClaimed, or NameCollision)',
        'add `- shop/orders` under spec.mapping.claims',
      ],
    ],
  },
  {
    title: 'an old side that may not publish the name, so that it is no service yet',
    scene: (s) => {
      dc1(s).rules.claims = ['shop/stock'];
      prod(s).services = [];
    },
    expect: [
      ['service', 'fail', 'shop/orders is not published: consul/dc1 reports shop/orders without a claim', 'see the check of names'],
      [
        'names',
        'fail',
        'NotClaimed: consul/dc1 reports shop/orders without a claim to it',
        'add `- shop/orders` under spec.mapping.claims of Registry consul/dc1',
      ],
    ],
  },
  {
    title: 'a new side that puts everything into another namespace',
    scene: (s) => {
      prod(s).services = [];
      prod(s).rules.namespace = 'default';
    },
    expect: [
      ['service', 'warn', 'kubernetes/prod has no endpoint', 'deploy there'],
      [
        'names',
        'fail',
        'kubernetes/prod puts all its services into namespace default, and shop/orders is in shop',
        'set spec.mapping.namespaceFrom (or spec.mapping.namespace: shop)',
      ],
    ],
  },
  {
    title: 'a new side that leaves the name out',
    scene: (s) => {
      prod(s).services = [];
      prod(s).rules.exclude = ['ord*'];
    },
    expect: [
      ['service', 'warn', 'kubernetes/prod has no endpoint', 'deploy there'],
      ['names', 'warn', 'kubernetes/prod leaves out orders: excluded by the Registry', 'take it out of spec.mapping.exclude'],
    ],
  },
  {
    title: 'a namespace that the peer may not speak for',
    request: { to: { cluster: 'west', registry: 'kubernetes/west' } },
    scene: (s) => {
      s.peers = [{ cluster: 'west', namespaces: ['billing'], connected: true }];
      s.exported = { west: { 'kubernetes/west': [service('shop/orders', [pod('a'), pod('b', { address: '10.1.0.2' })])] } };
      prod(s).services = [];
    },
    expect: [
      ['service', 'warn', 'west/kubernetes/west has no endpoint', 'deploy there'],
      [
        'names',
        'fail',
        'NamespaceNotAllowed: west exports shop/orders, a namespace that its Peer object does not allow',
        'add "shop" to spec.namespaces of Peer west',
      ],
      ['identity', 'fail', 'Peer west may not present shop', 'add "shop" to spec.namespaces of Peer west'],
      ['network', 'warn', 'on which network west/kubernetes/west will be is not known yet', 'plan again once'],
    ],
  },
  {
    title: 'a port that the new side lacks',
    scene: (s) => changeOrders(s, 'kubernetes/prod', () => ({ ports: [{ name: 'http', port: 8080, protocol: 'http' }] })),
    expect: [
      [
        'ports',
        'fail',
        'kubernetes/prod has no port 80, which callers of consul/dc1 dial as http (http); it has 8080 (http, http)',
        'give port http the number 80 instead of 8080',
      ],
      ['ports', 'warn', 'port 8080 (http, http) is on kubernetes/prod alone', 'open it once the service has moved'],
    ],
  },
  {
    title: 'a protocol that differs',
    scene: (s) => changeOrders(s, 'kubernetes/prod', () => ({ ports: [{ name: 'http', port: 80, protocol: 'tcp' }] })),
    expect: [
      [
        'ports',
        'fail',
        'port 80 is http on consul/dc1 and tcp on kubernetes/prod',
        'make it http on kubernetes/prod: set appProtocol: http',
      ],
    ],
  },
  {
    title: 'a port of another name',
    scene: (s) =>
      changeOrders(s, 'kubernetes/prod', (r) => ({
        ports: [{ name: 'web', port: 80, protocol: 'http' }],
        endpoints: r.endpoints.map((e) => ({ ...e, ports: { web: 8080 } })),
      })),
    expect: [['ports', 'warn', 'port 80 is named http on consul/dc1 and web on kubernetes/prod', 'name it http on both']],
  },
  {
    title: 'endpoints that lack a port of their own side',
    scene: (s) =>
      changeOrders(s, 'kubernetes/prod', (r) => ({
        ports: [...r.ports, { name: 'admin', port: 81, protocol: 'http' }],
        endpoints: r.endpoints.map((e, i) => (i === 0 ? { ...e, ports: { http: 8080, admin: 8081 } } : e)),
      })),
    expect: [
      ['ports', 'warn', 'port 81 (admin, http) is on kubernetes/prod alone', 'add it to the old side'],
      [
        'ports',
        'warn',
        '1 of 2 healthy endpoints on kubernetes/prod does not serve port 81 (admin)',
        'register that port for all of them: pod-2',
      ],
    ],
  },
  {
    title: 'a new side in the clear, of a service that a policy guards',
    scene: (s) => {
      changeOrders(s, 'kubernetes/prod', (r) => ({ endpoints: r.endpoints.map((e) => ({ ...e, tlsMode: 'none' })) }));
      s.documents.push(allow('orders-callers', {}, ['mesh.test/ns/shop/sa/web', 'mesh.test/ns/shop/sa/orders']));
    },
    expect: [
      [
        'identity',
        'fail',
        'nothing would enforce AuthorizationPolicy shop/orders-callers',
        'spec.mapping.tlsMode: mesh of Registry kubernetes/prod',
      ],
    ],
  },
  {
    title: 'a new side in the clear',
    scene: (s) => changeOrders(s, 'kubernetes/prod', (r) => ({ endpoints: r.endpoints.map((e) => ({ ...e, tlsMode: 'none' })) })),
    expect: [
      [
        'identity',
        'warn',
        'consul/dc1 speaks mTLS and kubernetes/prod does not (tlsMode none)',
        'give the new instances an agent or sidecar',
      ],
    ],
  },
  {
    title: 'a new side of which only some speak mTLS',
    scene: (s) =>
      changeOrders(s, 'kubernetes/prod', (r) => ({ endpoints: r.endpoints.map((e, i) => (i === 0 ? { ...e, tlsMode: 'none' } : e)) })),
    expect: [
      ['identity', 'warn', 'kubernetes/prod has endpoints with mTLS and 1 endpoint in the clear: pod-1', 'give all of them an agent'],
      ['identity', 'warn', 'on its own network what it is sent would be in the clear', 'give the new instances an agent'],
    ],
  },
  {
    title: 'an identity that the service itself would be refused with where it calls',
    scene: (s) => {
      changeOrders(s, 'kubernetes/prod', (r) => ({ endpoints: r.endpoints.map((e) => ({ ...e, serviceAccount: 'orders-v2' })) }));
      changeStock(s);
      s.documents.push(allow('stock-callers', { app: 'stock' }, ['mesh.test/ns/shop/sa/orders']));
    },
    expect: [
      [
        'identity',
        'warn',
        'kubernetes/prod has the identity shop/orders-v2 and consul/dc1 shop/orders',
        'run the new instances under shop/orders',
      ],
      [
        'permissions',
        'fail',
        'shop/stock would refuse orders when it calls from kubernetes/prod: no rule of the ALLOW policies that select it (shop/stock-callers)',
        'allow principal mesh.test/ns/shop/sa/orders-v2 of cluster east where shop/stock is guarded',
      ],
    ],
  },
  {
    title: 'an identity that is refused where nobody was seen to call',
    scene: (s) => {
      changeOrders(s, 'kubernetes/prod', (r) => ({ endpoints: r.endpoints.map((e) => ({ ...e, serviceAccount: 'orders-v2' })) }));
      changeStock(s);
      s.documents.push(allow('stock-callers', { app: 'stock' }, ['mesh.test/ns/shop/sa/orders']));
      s.calls = s.calls?.filter((c) => c.destination !== 'shop/stock');
    },
    expect: [
      ['identity', 'warn', 'kubernetes/prod has the identity shop/orders-v2', 'let policies name both'],
      ['permissions', 'warn', 'from consul/dc1 it may, and was not seen to', 'allow principal mesh.test/ns/shop/sa/orders-v2'],
    ],
  },
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
        '1 proxyless gRPC client(s) are connected: they follow the weights and report nothing',
        "gate on the servers' own metrics",
      ],
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

function changeStock(scene: MigrationScene): void {
  const there = dc1(scene);
  there.services = there.services.map((s) => (s.name === 'stock' ? { ...s, labels: { app: 'stock' } } : s));
}
