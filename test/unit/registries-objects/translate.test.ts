import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ServiceEntrySpec, WorkloadEntrySpec } from '../../../core/config/index.ts';
import { hostnamesOf, translate } from '../../../registries/objects/index.ts';

const place = (address: string, more: Partial<WorkloadEntrySpec> = {}): WorkloadEntrySpec => ({
  address,
  ports: {},
  labels: {},
  network: '',
  locality: '',
  weight: 1,
  serviceAccount: '',
  ...more,
});

const entry = (name: string, spec: Partial<ServiceEntrySpec>, namespace = 'shop') => ({
  kind: 'ServiceEntry' as const,
  group: 'networking.istio.io',
  scope: 'mesh' as const,
  name,
  namespace,
  spec: {
    hosts: ['api.example.com'],
    addresses: [],
    ports: [{ number: 443, name: 'https', protocol: 'TLS', targetPort: 8443 }],
    location: 'external' as const,
    resolution: 'static' as const,
    endpoints: [],
    workloadSelector: {},
    exportTo: [],
    subjectAltNames: [],
    createdAt: 5,
    ...spec,
  },
});

const workload = (name: string, spec: WorkloadEntrySpec, namespace = 'shop') => ({
  kind: 'WorkloadEntry' as const,
  group: 'networking.istio.io',
  scope: 'cluster' as const,
  name,
  namespace,
  spec,
});

const defaults = { network: 'dc', addressesOf: () => undefined, seenAt: () => 7 };

describe('ServiceEntry as a service', () => {
  test('named like the object, with its ports and endpoints, in the clear outside the mesh', () => {
    const mtls = { 'security.istio.io/tlsMode': 'istio', version: 'v1' };
    const endpoints = [
      place('10.0.0.1', { labels: mtls, locality: 'eu/a', weight: 3 }),
      place('10.0.0.2', { ports: { https: 9443 }, network: 'other' }),
    ];
    const { services, violations } = translate([entry('payments', { endpoints })], defaults);
    assert.deepEqual(violations, []);
    const [service] = services;
    assert.equal(`${service?.namespace}/${service?.name} ${service?.createdAt}`, 'shop/payments 5');
    assert.deepEqual(service?.ports, [{ name: 'https', port: 443, protocol: 'tls' }]);
    const got = service?.endpoints.map((e) => [e.address, e.ports['https'], e.network, e.weight, e.tlsMode, e.labels, e.locality.zone]);
    assert.deepEqual(got, [
      ['10.0.0.1', 8443, 'dc', 3, 'none', { version: 'v1' }, 'a'],
      ['10.0.0.2', 9443, 'other', 1, 'none', {}, ''],
    ]);
  });

  test('of the mesh: endpoints that say so end mTLS as the account they name', () => {
    const endpoints = [place('10.0.0.1', { labels: { 'security.istio.io/tlsMode': 'istio' }, serviceAccount: 'pay' }), place('10.0.0.2')];
    const [service] = translate([entry('payments', { endpoints, location: 'internal' })], defaults).services;
    assert.deepEqual(
      service?.endpoints.map((e) => [e.tlsMode, e.serviceAccount, e.identityNamespace]),
      [
        ['mesh', 'pay', 'shop'],
        ['none', 'default', 'shop'],
      ],
    );
  });

  test('a selector takes the WorkloadEntries of its own namespace that have all of its labels', () => {
    const labels = { app: 'pay', version: 'v1' };
    const all = [
      entry('payments', { workloadSelector: { app: 'pay' } }),
      workload('one', place('10.0.0.1', { labels })),
      workload('two', place('10.0.0.2', { labels: { app: 'other' } })),
      workload('three', place('10.0.0.3', { labels }), 'elsewhere'),
    ];
    const [service, ...more] = translate(all, defaults).services;
    assert.equal(more.length, 0);
    assert.deepEqual(
      service?.endpoints.map((e) => e.instance),
      ['one'],
    );
  });

  test('names are resolved: those of endpoints, and the hosts where there is none; an unknown one has no endpoint', () => {
    const entries = [
      entry('by-host', { resolution: 'dns', hosts: ['b.example.com', '*.example.com'] }),
      entry('by-endpoint', { resolution: 'dns', endpoints: [place('a.example.com'), place('c.example.com')] }),
      entry('nobody', { resolution: 'none', hosts: ['n.example.com'] }),
    ];
    assert.deepEqual(hostnamesOf(entries), ['a.example.com', 'b.example.com', 'c.example.com']);
    const known = new Map([
      ['a.example.com', ['10.1.0.1', '10.1.0.2']],
      ['b.example.com', ['10.2.0.1']],
    ]);
    const { services } = translate(entries, { ...defaults, addressesOf: (name) => known.get(name) });
    assert.deepEqual(
      services.map((s) => [s.name, s.endpoints.map((e) => `${e.instance} ${e.address}`)]),
      [
        ['by-endpoint', ['by-endpoint-0-10.1.0.1 10.1.0.1', 'by-endpoint-0-10.1.0.2 10.1.0.2']],
        ['by-host', ['b.example.com-10.2.0.1 10.2.0.1']],
        ['nobody', []],
      ],
    );
  });

  test('a name that no service can have is told, with one that it could, and blocks nothing else', () => {
    const { services, violations } = translate([entry('api.v1', {}), entry('fine', {})], defaults);
    assert.deepEqual(
      services.map((s) => s.name),
      ['fine'],
    );
    assert.match(violations.map((v) => `${v.path}: ${v.message}`).join(), /^ServiceEntry\["shop\/api\.v1"\]: .*api-v1/);
  });
});
