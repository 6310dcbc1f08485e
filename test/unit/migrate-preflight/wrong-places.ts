import { endpoint, service } from '../../support/mesh-records.ts';
import { changeOrders } from '../../support/preflight-scene.ts';
import { dc1, pod, prod } from './scene-changes.ts';
import type { WrongRow } from './wrong-row.ts';

/** What is wrong with the two places, and with the service on them. */
export const wrongPlaces: readonly WrongRow[] = [
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
];
