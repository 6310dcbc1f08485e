import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointRecord, ServiceRecord } from '../../../core/model/index.ts';
import { type HealthEntry, parseHealth } from '../../../registries/consul/schema.ts';
import { translateService } from '../../../registries/consul/translate.ts';
import { rulesWith } from '../registry/records.ts';

type Change = { node?: Partial<HealthEntry['Node']>; service?: Partial<HealthEntry['Service']>; checks?: [string, string][] };

function entry(id: string, { node, service, checks = [] }: Change = {}): HealthEntry {
  return {
    Node: { Node: 'n1', Address: '10.0.0.9', Meta: null, ...node },
    Service: {
      ID: id,
      Service: 'web',
      Kind: '',
      Tags: [],
      Address: '',
      Meta: null,
      Port: 8080,
      Weights: { Passing: 5, Warning: 2 },
      ...service,
    },
    Checks: checks.map(([CheckID, Status]) => ({ CheckID, Status })),
  };
}

function only(e: HealthEntry, rules = rulesWith()): EndpointRecord {
  const [part] = translateService([e], rules, 1).parts;
  const [endpoint] = part?.record.endpoints ?? [];
  assert.ok(endpoint !== undefined);
  return endpoint;
}

const records = (entries: HealthEntry[], rules = rulesWith()): ServiceRecord[] =>
  translateService(entries, rules, 1).parts.map((p) => p.record);

test('health follows the checks: the worst one decides, warning keeps its own weight, maintenance drains', () => {
  const cases: [[string, string][], string, number][] = [
    [[], 'healthy', 5],
    [[['a', 'passing']], 'healthy', 5],
    [
      [
        ['a', 'passing'],
        ['b', 'warning'],
      ],
      'healthy',
      2,
    ],
    [
      [
        ['a', 'passing'],
        ['serfHealth', 'critical'],
      ],
      'unhealthy',
      5,
    ],
    [[['_node_maintenance', 'critical']], 'draining', 5],
    [
      [
        ['_service_maintenance:web-1', 'critical'],
        ['a', 'passing'],
      ],
      'draining',
      5,
    ],
    [
      [
        ['_node_maintenance', 'critical'],
        ['a', 'critical'],
      ],
      'unhealthy',
      5,
    ],
    [[['a', 'never-heard-of']], 'unhealthy', 5],
  ];
  for (const [checks, health, weight] of cases) {
    const endpoint = only(entry('web-1', { checks }));
    assert.deepEqual([endpoint.health, endpoint.weight], [health, weight], JSON.stringify(checks));
  }
  assert.equal(only(entry('a', { service: { Weights: { Passing: 0, Warning: 0 } } })).weight, 0);
  assert.equal(only(entry('a', { service: { Weights: null } })).weight, 1);
});

test('an address is the service its own, then the node its; a hostname needs an address beside it', () => {
  assert.equal(only(entry('a')).address, '10.0.0.9');
  assert.equal(only(entry('a', { service: { Address: '10.1.1.1' } })).address, '10.1.1.1');
  const tagged = { Address: 'web.example', TaggedAddresses: { lan_ipv4: { Address: '10.2.2.2', Port: 8080 } } };
  assert.equal(only(entry('a', { service: tagged })).address, '10.2.2.2');
  const built = translateService([entry('a', { service: { Address: 'web.example' } }), entry('b')], rulesWith(), 1);
  assert.deepEqual(
    built.parts[0]?.record.endpoints.map((e) => e.instance),
    ['n1/b'],
  );
  assert.match(built.violations[0]?.message ?? '', /"web\.example" is no IP/);
});

test('what Isthmus published, proxies and gateways are never imported', () => {
  const owned = { 'isthmus-owner': 'west.consul_dc1' };
  assert.deepEqual(records([entry('a', { node: { Meta: owned } })]), []);
  assert.deepEqual(records([entry('a', { service: { Meta: owned } })]), []);
  for (const Kind of ['connect-proxy', 'mesh-gateway', 'ingress-gateway', 'terminating-gateway', 'api-gateway']) {
    assert.deepEqual(records([entry('a', { service: { Kind } })]), [], Kind);
  }
});

test('meta says protocol, port name, service port, service account and locality; nonsense is reported and ignored', () => {
  const Meta = {
    'isthmus-protocol': 'grpc',
    'isthmus-port-name': 'api',
    'isthmus-port': '443',
    'isthmus-service-account': 'web',
    version: '2',
  };
  const [record] = records([entry('a', { service: { Meta, Tags: ['canary', 'team=pay', 'isthmus.dev/locality=eu/eu-1/r7'] } })]);
  assert.deepEqual(record?.ports, [{ name: 'api', port: 443, protocol: 'grpc' }]);
  assert.deepEqual(record?.endpoints[0]?.ports, { api: 8080 });
  assert.equal(record?.endpoints[0]?.serviceAccount, 'web');
  assert.deepEqual(record?.endpoints[0]?.locality, { region: 'eu', zone: 'eu-1', subzone: 'r7' });
  assert.deepEqual(record?.endpoints[0]?.labels, { canary: 'true', team: 'pay', version: '2' });
  const odd = { 'isthmus-protocol': 'smtp', 'isthmus-port': '0', 'isthmus-service-account': '../root' };
  const built = translateService([entry('a', { service: { Meta: odd } })], rulesWith(), 1);
  assert.equal(built.violations.length, 3);
  assert.deepEqual(built.parts[0]?.record.ports, [{ name: 'http', port: 8080, protocol: 'http' }]);
  assert.equal(built.parts[0]?.record.endpoints[0]?.serviceAccount, 'default');
});

test('the oldest instance decides the service port; labels are those on which all agree', () => {
  const old = entry('old', { service: { Port: 8080, CreateIndex: 10, Meta: { version: '1', team: 'pay' } } });
  const young = entry('young', { service: { Port: 9090, CreateIndex: 20, Meta: { version: '2', team: 'pay' } } });
  const [record] = records([young, old]);
  assert.deepEqual(record?.ports, [{ name: 'http', port: 8080, protocol: 'http' }]);
  assert.deepEqual(
    record?.endpoints.map((e) => e.ports),
    [{ http: 8080 }, { http: 9090 }],
  );
  assert.deepEqual(record?.labels, { team: 'pay' });
});

test('a port that Nomad picked is no service port', () => {
  const Meta = { 'external-source': 'nomad' };
  const [record] = records([entry('a', { service: { Port: 23_456, Meta } })]);
  assert.deepEqual(record?.ports, [{ name: 'http', port: 80, protocol: 'http' }]);
  assert.deepEqual(record?.endpoints[0]?.ports, { http: 23_456 });
  assert.equal(records([entry('a', { service: { Port: 8080, Meta } })])[0]?.ports[0]?.port, 8080);
});

test('instances of one service whose meta names other namespaces become other services', () => {
  const rules = rulesWith({ namespaceFrom: { meta: 'ns' } });
  const built = records(
    [entry('a', { service: { Meta: { ns: 'x' } } }), entry('b', { service: { Meta: { ns: 'y' } } }), entry('c')],
    rules,
  );
  assert.deepEqual(built.map((r) => `${r.namespace}/${r.name}`).sort(), ['default/web', 'x/web', 'y/web']);
});

test('an answer of another shape is refused whole', () => {
  assert.throws(() => parseHealth({ error: 1 }), /not what its API says/);
  assert.throws(() => parseHealth([{ Node: {}, Service: null }]), { code: 'PROTOCOL_ERROR', retryable: true });
});
