import { service } from '../../support/mesh-records.ts';
import { changeOrders } from '../../support/preflight-scene.ts';
import { allow, changeStock, dc1, pod, prod } from './scene-changes.ts';
import type { WrongRow } from './wrong-row.ts';

/** What is wrong with what either side says of the service: names, ports, identities. */
export const wrongIdentities: readonly WrongRow[] = [
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
      s.clients = [...s.clients, { id: 'pod', principal: 'mesh.test/ns/shop/sa/pod', kind: 'agent', dialect: 'native', network: 'pods' }];
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
    title: 'a new side in the clear, of a service that a policy guards and nobody on its network calls',
    scene: (s) => {
      changeOrders(s, 'kubernetes/prod', (r) => ({ endpoints: r.endpoints.map((e) => ({ ...e, tlsMode: 'none' })) }));
      s.documents.push(allow('orders-callers', {}, ['mesh.test/ns/shop/sa/web', 'mesh.test/ns/shop/sa/orders']));
    },
    expect: [
      [
        'identity',
        'warn',
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
];
