import assert from 'node:assert/strict';
import test from 'node:test';
import type { DestinationPolicy, HealthCheckPolicySpec, TrafficObject } from '../../../core/config/index.ts';
import type { HealthCheck, OutlierDetection } from '../../../core/traffic/index.ts';
import { codes, meshService, modelOf } from '../../support/traffic-model.ts';
import { destinationRule, serviceEntry, subset } from '../../support/traffic-objects.ts';

const pay = meshService('shop/pay', { 80: 'http', 9000: 'grpc' });
const random = { type: 'random' } as const;
const robin = { type: 'round-robin' } as const;
const connections = { maxConnections: 1 };
const outlier = (consecutive5xx: number): OutlierDetection => ({
  consecutive5xx,
  consecutiveGatewayErrors: 0,
  consecutiveLocalOriginFailures: 0,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 10,
  minHealthPercent: 0,
});
const policy = (more: Partial<DestinationPolicy>): DestinationPolicy => ({ ports: [], ...more });
const traffic = (objects: readonly TrafficObject[]) => modelOf(objects, [pay]).service(pay.key);

test('subsets take field by field from the whole; settings of a port stand in the place of all fields', () => {
  const rules = destinationRule('shop/r', 'pay', {
    policy: policy({ loadBalancer: random, connections, ports: [{ port: 9000, policy: { outlier: outlier(2) } }] }),
    subsets: [
      { ...subset('v1'), policy: policy({ loadBalancer: robin, ports: [{ port: 80, policy: { outlier: outlier(1) } }] }) },
      subset('v2'),
    ],
  });
  const found = traffic([rules]);
  assert.deepEqual(found?.policies.get(80), { traffic: { loadBalancer: random, connections } });
  assert.deepEqual(found?.policies.get(9000), { traffic: { outlier: outlier(2) } }, 'nothing of what holds for all ports');
  assert.deepEqual(found?.subsets[0]?.policies.get(80), { traffic: { outlier: outlier(1) } });
  assert.deepEqual(found?.subsets[0]?.policies.get(9000), { traffic: { outlier: outlier(2), loadBalancer: robin } });
  assert.deepEqual(found?.subsets[1]?.policies.get(80), { traffic: { loadBalancer: random, connections } });
});

test('locality settings are part of the load balancer: who says one takes away the other', () => {
  const locality = { enabled: true, distribute: [], failover: [], failoverPriority: ['x'] };
  const rules = destinationRule('shop/r', 'pay', {
    policy: policy({ locality }),
    subsets: [{ ...subset('v1'), policy: policy({ loadBalancer: robin }) }],
  });
  const found = traffic([rules]);
  assert.deepEqual(found?.policies.get(80), { locality });
  assert.deepEqual(found?.subsets[0]?.policies.get(80), { traffic: { loadBalancer: robin } });
});

test('first the namespace of the service, then the root; in it the most specific host', () => {
  const say = (id: string, host: string, max: number, createdAt = 1) =>
    destinationRule(id, host, { policy: policy({ connections: { maxConnections: max } }), createdAt });
  const max = (objects: readonly TrafficObject[]) => traffic(objects)?.policies.get(80)?.traffic?.connections?.maxConnections;
  const wild = say('shop/wild', '*.shop.mesh.internal', 1);
  const root = say('isthmus-system/root', 'pay.shop', 2);
  const own = say('shop/own', 'pay', 3, 50);
  assert.equal(max([wild]), 1);
  assert.equal(max([root]), 2);
  assert.equal(max([wild, root]), 1);
  assert.equal(max([wild, root, own]), 3);
  assert.equal(max([say('web/theirs', 'pay.shop', 4), wild]), 1, 'what other namespaces say is for their callers alone');
});

test('rules for one host are one: subsets of both, the policy of the older', () => {
  const one = destinationRule('shop/a', 'pay', { createdAt: 5, policy: policy({ connections }), subsets: [subset('v1'), subset('v3')] });
  const two = destinationRule('shop/b', 'pay.shop', {
    createdAt: 9,
    policy: policy({ loadBalancer: random }),
    subsets: [subset('v2'), subset('v1', {})],
  });
  const model = modelOf([two, one], [pay]);
  assert.deepEqual(
    model.service(pay.key)?.subsets.map((s) => [s.name, s.labels]),
    [
      ['v1', { version: 'v1' }],
      ['v2', { version: 'v2' }],
      ['v3', { version: 'v3' }],
    ],
  );
  assert.deepEqual(model.service(pay.key)?.policies.get(80), { traffic: { connections } });
  const conflicts = codes(model).filter((c) => c.startsWith('conflict'));
  assert.deepEqual(conflicts, [
    'conflict DestinationRule shop/b spec.subsets[1].name',
    'conflict DestinationRule shop/b spec.trafficPolicy',
  ]);
});

test('health checks join the policies of what they are for', () => {
  const check = (path: string): HealthCheck => ({
    type: 'http',
    path,
    expectedStatuses: [],
    service: '',
    intervalMs: 1_000,
    timeoutMs: 500,
    healthyThreshold: 1,
    unhealthyThreshold: 2,
  });
  const object = (name: string, spec: { readonly port?: number; readonly subset?: string }): TrafficObject => ({
    kind: 'HealthCheckPolicy',
    group: 'isthmus.dev',
    scope: 'mesh',
    namespace: 'shop',
    name,
    spec: { host: 'pay', check: check(`/${name}`), ...spec },
  });
  const found = traffic([
    object('all', {}),
    object('port', { port: 9000 }),
    object('subset', { subset: 'v1' }),
    destinationRule('shop/r', 'pay', { policy: policy({ connections }), subsets: [subset('v1'), subset('v2')] }),
  ]);
  const paths = (policies: ReadonlyMap<number, { readonly traffic?: { readonly healthCheck?: HealthCheck } }> | undefined) =>
    [80, 9000].map((port) => policies?.get(port)?.traffic?.healthCheck?.path);
  assert.deepEqual(paths(found?.policies), ['/all', '/port']);
  assert.deepEqual(paths(found?.subsets[0]?.policies), ['/subset', '/subset']);
  assert.deepEqual(paths(found?.subsets[1]?.policies), ['/all', '/port']);
  assert.deepEqual(found?.policies.get(80)?.traffic?.connections, connections);
});

test('a success rate joins what is said of outliers, and a check from elsewhere stays', () => {
  const successRate = { minimumHosts: 3, requestVolume: 50, stdevFactor: 1.5 };
  const object = (name: string, spec: Partial<HealthCheckPolicySpec>): TrafficObject => ({
    kind: 'HealthCheckPolicy',
    group: 'isthmus.dev',
    scope: 'mesh',
    namespace: 'shop',
    name,
    spec: { host: 'pay', ...spec },
  });
  const check: HealthCheck = {
    type: 'tcp',
    path: '/',
    expectedStatuses: [],
    service: '',
    intervalMs: 1_000,
    timeoutMs: 500,
    healthyThreshold: 1,
    unhealthyThreshold: 2,
  };
  const alone = traffic([object('check', { check }), object('rate', { port: 80, successRate })])?.policies;
  assert.deepEqual(alone?.get(80)?.traffic?.healthCheck, check);
  assert.deepEqual(alone?.get(9000)?.traffic, { healthCheck: check });
  assert.deepEqual(alone?.get(80)?.traffic?.outlier?.successRate, successRate);
  assert.equal(alone?.get(80)?.traffic?.outlier?.consecutive5xx, 0);
  const rule = destinationRule('shop/r', 'pay', { policy: policy({ outlier: outlier(7) }) });
  const beside = traffic([object('rate', { successRate }), rule])?.policies;
  assert.deepEqual(beside?.get(80)?.traffic?.outlier, { ...outlier(7), successRate });
});

test('SPIFFE ids of one other trust domain in a ServiceEntry say who its servers are, unless a rule says TLS of its own', () => {
  const bank = meshService('shop/bank', { 80: 'http', 443: 'tls' });
  const [one, two] = ['spiffe://partner.test/a', 'spiffe://partner.test/b'];
  const entry = (subjectAltNames: readonly string[], hosts = ['*.partner.test', 'Bank.partner.test']): TrafficObject => {
    const made = serviceEntry('shop/bank', hosts);
    return { ...made, spec: { ...made.spec, subjectAltNames } };
  };
  const policiesOf = (...objects: TrafficObject[]) => modelOf(objects, [bank]).service(bank.key)?.policies;
  const foreign = { trustDomain: 'partner.test', uriSans: [one, two], host: 'bank.partner.test' };
  for (const port of [80, 443]) assert.deepEqual(policiesOf(entry([two, one, one]))?.get(port), { foreign });
  assert.equal(policiesOf(entry([one], ['*.partner.test']))?.get(80)?.foreign?.host, '');
  for (const names of [[], ['bank.partner.test'], [one, 'bank.partner.test'], [one, 'spiffe://third.test/a']])
    assert.equal(policiesOf(entry(names))?.get(80), undefined, names.join());
  const tls = { mode: 'simple', sni: 'bank.partner.test', subjectAltNames: [] } as const;
  const rule = destinationRule('shop/r', 'bank', { policy: policy({ tls }) });
  assert.deepEqual(policiesOf(entry([one]), rule)?.get(80), { traffic: { tls: { ...tls, subjectAltNames: [one] } } });
  const limits = destinationRule('shop/r', 'bank', { policy: policy({ connections }), subsets: [subset('v1')] });
  assert.deepEqual(policiesOf(entry([one, two]), limits)?.get(80), { traffic: { connections }, foreign });
  assert.deepEqual(
    modelOf([entry([one, two]), limits], [bank])
      .service(bank.key)
      ?.subsets[0]?.policies.get(80)?.foreign,
    foreign,
  );
});
