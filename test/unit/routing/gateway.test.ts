import assert from 'node:assert/strict';
import test from 'node:test';
import type { CompiledGateway, TrafficModel } from '../../../control/routing/index.ts';
import type { GatewayServer, TrafficObject } from '../../../core/config/index.ts';
import { codes, leads, meshService, modelOf } from '../../support/traffic-model.ts';
import { behind, gateway, prefix, routeObject, rule, segments, to, virtualService } from '../../support/traffic-objects.ts';

const services = [meshService('shop/web'), meshService('shop/orders'), meshService('shop/db', { 5432: 'tcp' })];
const web = 'outbound|80||web.shop.mesh.internal';
const tls = (mode: 'simple' | 'mutual' | 'optional-mutual' | 'passthrough', files = true): NonNullable<GatewayServer['tls']> => ({
  mode,
  minVersion: '1.2',
  ...(files ? { certFile: '/tls/cert.pem', keyFile: '/tls/key.pem' } : {}),
});
const edge = (servers: readonly Partial<GatewayServer>[] = [{}]) => gateway('shop/edge', servers);
const bound = (id: string, hosts: readonly string[], destination: string, more: Parameters<typeof virtualService>[3] = {}) =>
  virtualService(id, hosts, [rule(id, [to(destination)])], { parents: [behind('shop/edge')], ...more });

function compiled(objects: readonly TrafficObject[], name = 'shop/edge'): CompiledGateway & { readonly model: TrafficModel } {
  const model = modelOf(objects, services);
  const found = model.gateways.get(name);
  assert.ok(found !== undefined);
  return { ...found, model };
}

/** By listener: the servers' names, hosts and protocols, and the domains of their virtual hosts with what they lead to. */
function shown(g: CompiledGateway) {
  return g.listeners.map(({ port, servers }) => [
    port,
    servers.map((s) => {
      const routing = g.routings.get(s.routing);
      return [
        s.name,
        s.hosts.join(),
        s.protocol,
        routing?.virtualHosts.map(
          (v, i) =>
            `${v.domains.join()} ${leads(routing, i)
              ?.map(([, l]) => l)
              .join()}`,
        ),
      ];
    }),
  ]);
}

test('a VirtualService bound to a gateway is for that gateway, and not for the mesh', () => {
  const found = compiled([edge(), bound('shop/v', ['www.example.com', '*.example.org'], 'web')]);
  assert.deepEqual(shown(found), [[80, [['shop/edge/0', '', 'http', [`*.example.org ${web}`, `www.example.com ${web}`]]]]]);
  assert.deepEqual(found.services, ['shop/web']);
  assert.deepEqual(found.selector, { istio: 'ingress' });
  assert.equal(found.model.service(services[0]?.key ?? ('' as never)), undefined);
  assert.deepEqual(codes(found.model), []);
});

test('hosts are those that server and route both have, by the namespaces that the server names', () => {
  const hosts = ['shop/*.example.com', './own.example.net', 'other/*.example.org', '*/any.example.net'];
  const objects = [edge([{ hosts }]), bound('shop/v', ['a.example.com', '*.example.net', 'b.example.org', '*'], 'web')];
  const domains = compiled(objects)
    .routings.get('ingress|80|shop/edge/0')
    ?.virtualHosts.flatMap((v) => v.domains);
  assert.deepEqual(domains, ['*.example.com', 'a.example.com', 'any.example.net', 'own.example.net']);
});

test('on gateways VirtualServices of one host are merged, the older first', () => {
  const young = bound('shop/a', ['www.example.com'], 'orders', { createdAt: 9 });
  const old = virtualService('shop/b', ['www.example.com'], [rule('old', [to('web')], { matches: [prefix('/web')] })], {
    parents: [behind('shop/edge')],
  });
  const found = compiled([edge(), young, old]);
  assert.deepEqual(leads(found.routings.get('ingress|80|shop/edge/0')), [
    ['old', web],
    ['shop/a', 'outbound|80||orders.shop.mesh.internal'],
  ]);
});

test('rules may be for some gateways and ports; who is not exported to the gateway is not bound', () => {
  const v = virtualService(
    'web/v',
    ['*'],
    ['mesh', 'shop/edge', 'shop/other'].map((name) =>
      rule(name, [to('web.shop')], { matches: [prefix('/')], conditions: [{ ports: [], gateways: [name] }] }),
    ),
    { parents: [{ type: 'mesh' }, behind('shop/edge')] },
  );
  const found = compiled([edge(), v]);
  assert.deepEqual(leads(found.routings.get('ingress|80|shop/edge/0')), [['shop/edge', web]]);
  assert.deepEqual(leads(found.model.service('shop/web' as never)?.routing.get(80)), [['mesh', web]]);
  const hidden = compiled([edge(), bound('web/v', ['*'], 'web.shop', { exportTo: ['.'] })]);
  assert.deepEqual(hidden.routings.get('ingress|80|shop/edge/0')?.virtualHosts, []);
  assert.deepEqual(codes(hidden.model), ['not-attached VirtualService web/v spec.gateways[0]']);
});

test('gateways that select the same share a port in the clear: the oldest holds the hosts of all', () => {
  const objects = [
    edge([{ hosts: ['a.example.com'] }]),
    gateway('shop/second', [{ hosts: ['b.example.com'], httpsRedirect: true }, { hosts: ['c.example.com'] }], { createdAt: 2 }),
    gateway('shop/else', [{ hosts: ['d.example.com'] }], { selector: { istio: 'else' } }),
    bound('shop/v', ['*'], 'web', { parents: [behind('shop/edge'), behind('shop/second'), behind('shop/else')] }),
  ];
  assert.deepEqual(shown(compiled(objects)), [
    [80, [['shop/edge/0', '', 'http', [`a.example.com ${web}`, 'b.example.com 301', `c.example.com ${web}`]]]],
  ]);
  assert.deepEqual(shown(compiled(objects, 'shop/second')), []);
  assert.deepEqual(shown(compiled(objects, 'shop/else')), [[80, [['shop/else/0', '', 'http', [`d.example.com ${web}`]]]]]);
});

test('TLS servers are told apart by name, and have their files and protocols', () => {
  const servers: Partial<GatewayServer>[] = [
    { name: 'web', port: 443, protocol: 'https', hosts: ['www.example.com'], tls: tls('simple') },
    { name: 'through', port: 443, protocol: 'tls', hosts: ['*.db.example.com'], tls: tls('passthrough', false) },
    { name: 'bytes', port: 5432, protocol: 'tls', hosts: ['*'], tls: { ...tls('mutual'), caFile: '/tls/ca.pem' } },
  ];
  const l4 = [
    {
      type: 'tls' as const,
      name: 'sni',
      ports: [443],
      matches: [{ destinationSubnets: [], sniHosts: ['a.db.example.com'], sourceLabels: {} }],
      destinations: [to('db')],
    },
    { type: 'tcp' as const, name: 'bytes', ports: [5432], matches: [], destinations: [to('db')] },
  ];
  const found = compiled([edge(servers), bound('shop/v', ['*'], 'web', { l4 })]);
  assert.deepEqual(
    found.listeners[0]?.servers.map(({ tls: t, ...s }) => [s.name, s.hosts, s.protocol, t?.mode, t?.alpn]),
    [
      ['shop/edge/web', ['www.example.com'], 'http', 'simple', ['h2', 'http/1.1']],
      ['shop/edge/through', ['*.db.example.com'], 'tls-passthrough', undefined, undefined],
    ],
  );
  assert.deepEqual(found.routings.get('ingress|443|shop/edge/through')?.l4, [
    {
      name: 'sni',
      matches: [{ destinationSubnets: [], sniHosts: ['a.db.example.com'], sourceLabels: {} }],
      destinations: [{ destination: { cluster: 'outbound|5432||db.shop.mesh.internal' }, weight: 1 }],
    },
  ]);
  assert.equal(found.listeners[1]?.servers[0]?.tls?.caFile, '/tls/ca.pem');
  assert.deepEqual(
    found.routings.get('ingress|5432|shop/edge/bytes')?.l4.map((r) => r.name),
    ['bytes'],
  );
});

test('what cannot share a port, has no certificate or no name of its own is left out and said', () => {
  const objects = [
    edge([
      { port: 443, protocol: 'https', hosts: ['a.example.com', 'b.example.com'], tls: tls('simple') },
      { port: 8443, protocol: 'https', tls: tls('simple', false) },
    ]),
    gateway(
      'shop/second',
      [
        { port: 443, protocol: 'https', hosts: ['b.example.com', 'c.example.com'], tls: tls('simple') },
        { port: 443, protocol: 'http' },
        { port: 9443, protocol: 'https', tls: tls('mutual') },
      ],
      { createdAt: 2 },
    ),
  ];
  const first = compiled(objects);
  assert.deepEqual(shown(first), [[443, [['shop/edge/0', 'a.example.com,b.example.com', 'http', []]]]]);
  assert.deepEqual(shown(compiled(objects, 'shop/second')), [[443, [['shop/second/0', 'c.example.com', 'http', []]]]]);
  assert.deepEqual(codes(first.model), [
    'missing-certificate Gateway shop/edge spec.servers[1].tls',
    'conflict Gateway shop/second spec.servers[0].hosts',
    'conflict Gateway shop/second spec.servers[1].port',
    'missing-certificate Gateway shop/second spec.servers[2].tls',
  ]);
});

test('routes of the Gateway API attach to the listeners that let them in', () => {
  const listeners: Partial<GatewayServer>[] = [
    { name: 'open', hosts: ['*.example.com'] },
    { name: 'own', port: 81, hosts: [], routeNamespaces: ['shop'] },
    { name: 'labelled', port: 82, hosts: [], routeNamespaces: { labels: { 'kubernetes.io/metadata.name': 'team' } } },
    { name: 'grpc', port: 83, hosts: [], routeKinds: ['GRPCRoute'] },
  ];
  const api = gateway('shop/edge', listeners, { origin: 'gateway-api' });
  const ref = [to('shop/web', { service: true, port: 80 })];
  const http = (id: string, name: string, more: { readonly section?: string } = {}) =>
    routeObject('HTTPRoute', id, {
      hosts: ['www.example.com'],
      parents: [behind('shop/edge', more)],
      http: [rule(name, ref, { matches: [segments('/a')] })],
    });
  const objects = [api, http('shop/a', 'own'), http('team/b', 'team'), http('shop/c', 'section', { section: 'open' })];
  const found = compiled(objects);
  const names = (port: number) =>
    leads(
      found.routings.get(`ingress|${port}|shop/edge/${port === 80 ? 'open' : port === 81 ? 'own' : port === 82 ? 'labelled' : 'grpc'}`),
    )?.map(([n]) => n);
  assert.deepEqual(names(80), ['own', 'section', 'team']);
  assert.deepEqual(names(81), ['own']);
  assert.deepEqual(names(82), ['team']);
  assert.equal(names(83), undefined);
  assert.deepEqual(found.routings.get('ingress|80|shop/edge/open')?.virtualHosts[0]?.domains, ['www.example.com']);
  const refused = modelOf(
    [
      api,
      http('other/a', 'x', { section: 'own' }),
      http('other/b', 'x', { section: 'grpc' }),
      http('other/c', 'x', { section: 'none' }),
      {
        ...http('other/d', 'x', { section: 'open' }),
        spec: { ...http('other/d', 'x', { section: 'open' }).spec, hosts: ['www.example.org'] },
      },
      bound('shop/v', ['*'], 'web'),
    ],
    services,
  );
  assert.equal(codes(refused).filter((c) => c.startsWith('not-attached')).length, 4);
  assert.ok(codes(refused).includes('dangling-reference VirtualService shop/v spec.gateways[0]'), 'a VirtualService names Istio gateways');
});
