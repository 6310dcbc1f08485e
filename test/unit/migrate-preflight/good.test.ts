import assert from 'node:assert/strict';
import test from 'node:test';
import { preflight } from '../../../control/migrate/preflight/index.ts';
import { changeOrders, factsOf, goodScene, type MigrationScene, migrationOf } from '../../support/preflight-scene.ts';
import { routed, to } from './scene-changes.ts';

const request = {
  namespace: 'shop',
  service: 'orders',
  from: { cluster: '', registry: 'consul/dc1' },
  to: { cluster: 'east', registry: 'kubernetes/prod' },
};

const plan = (scene: MigrationScene) => preflight(request, factsOf(scene));

test('a service that can be moved passes every check, and each says what it saw', () => {
  const { checks, violations } = plan(goodScene());
  assert.deepEqual(violations, []);
  assert.deepEqual(
    checks.map((c) => `${c.ok} ${c.name}: ${c.message}`),
    [
      'pass sides: consul/dc1 and kubernetes/prod are live',
      'pass service: shop/orders has 2 healthy endpoints on consul/dc1 and 2 on kubernetes/prod',
      'pass names: consul/dc1 and kubernetes/prod may both publish shop/orders',
      'pass ports: both sides have 80 (http, http)',
      'pass identity: kubernetes/prod is shop/orders',
      'pass permissions: all who were seen to call it may: mesh.test/ns/shop/sa/web',
      'pass exports: nobody calls from another cluster',
      'pass network: kubernetes/prod is on pods, and callers on vms reach it by its gateways',
      'pass capacity: 2 healthy endpoints on kubernetes/prod for 2 on consul/dc1: at 1.5 requests at once for each, the most seen, 100 % of what each carried before',
      'pass rules: no rule stands in the way of a split',
      'pass gates: errors, latency-p99, saturation, traffic can judge it',
      'pass pace: 1, 5, 25, 50, 100 % in 25m at least; gate errors needs 299 samples, which at 1 % of 50/s take 9m58s, and 15m are given',
      'pass native-name: callers without a sidecar keep calling consul/dc1 by its native name',
      'pass drain: an agent reads the sockets of 2 old endpoints: safe after 10m without a connection from outside',
      'pass other-migrations: nothing else has to end first',
    ],
  );
});

test('what is proposed bakes as long as its gates need samples, and is limited by what was seen', () => {
  assert.deepEqual(plan(goodScene()).document, {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Migration',
    metadata: {
      name: 'orders-to-kubernetes-prod',
      namespace: 'shop',
      annotations: {
        'kubernetes.io/description':
          'gate errors needs 299 samples: 9m58s at 1 % of the 50/s seen; steps bake half as long again, 2m at least; errors: 0.05 % failed, 1 % is the limit; latency: p99 was 95ms, 190ms is the limit',
      },
    },
    spec: {
      service: 'orders',
      from: { registry: 'consul/dc1' },
      to: { registry: 'kubernetes/prod' },
      steps: [
        { weight: 1, bake: '15m' },
        { weight: 5, bake: '3m' },
        { weight: 25, bake: '2m' },
        { weight: 50, bake: '2m' },
        { weight: 100, bake: '2m' },
      ],
      interval: '15s',
      baseline: '1m',
      confidence: 0.95,
      gates: [
        { name: 'errors', type: 'errorRate', max: 0.01, maxIncrease: 0.01 },
        { name: 'latency-p99', type: 'latency', percentile: 99, max: '190ms', maxRatio: 1.5 },
        { name: 'saturation', type: 'saturation', max: 1.2 },
        { name: 'traffic', type: 'requestRate', min: 5 },
      ],
      onNoData: { action: 'rollback', after: '10m' },
      onPartition: { action: 'hold', after: '1m' },
      drain: { timeout: '10m', bake: '10m' },
    },
  });
});

test('little traffic begins with a larger share instead of with days at one percent', () => {
  const scene = goodScene();
  scene.seen = { seconds: 3_600, requests: 3_600, connections: 0, errors: 0, p50: 12, p90: 40, p99: 95, inFlight: 1 };
  const { spec, violations } = plan(scene);
  assert.deepEqual(
    spec.steps.map((s) => [s.weight, s.bakeMs / 60_000]),
    [
      [25, 30],
      [50, 15],
      [100, 8],
    ],
  );
  assert.deepEqual(violations, []);
});

test('so little traffic that no step gets its samples in a day holds for them', () => {
  const scene = goodScene();
  scene.seen = { seconds: 3_600, requests: 12, connections: 0, errors: 0, p50: 12, p90: 40, p99: 95, inFlight: 1 };
  const { spec, checks, violations } = plan(scene);
  assert.equal(spec.onNoData.action, 'hold');
  assert.deepEqual(violations, []);
  const pace = checks.filter((c) => c.name === 'pace');
  assert.match(pace[0]?.message ?? '', /^gate errors needs 299 samples, which at 100 % of 0.00333\/s take 1d55m.*it would hold there$/);
});

test('retries of what a service answers hide failures from the gates, and those of who cannot be reached do not', () => {
  const checks = (retryOn: string) => {
    const scene = goodScene();
    scene.documents.push(routed('orders', { route: [to('orders')], retries: { attempts: 2, retryOn } }));
    return plan(scene).checks.filter(({ name }) => name === 'rules');
  };
  const [hidden] = checks('5xx,connect-failure');
  assert.deepEqual([hidden?.ok, hidden?.path], ['warn', 'spec.gates[0]']);
  assert.match(hidden?.message ?? '', /try requests again that the service failed/);
  assert.equal(checks('connect-failure,refused-stream')[0]?.ok, 'pass');
});

test('connections are judged as connections', () => {
  const scene = goodScene();
  for (const id of ['consul/dc1', 'kubernetes/prod'])
    changeOrders(scene, id, () => ({ ports: [{ name: 'http', port: 80, protocol: 'tcp' }] }));
  scene.seen = { seconds: 60, requests: 0, connections: 600, errors: 30, p50: null, p90: null, p99: null, inFlight: null };
  const { spec, violations } = plan(scene);
  assert.deepEqual(spec.gates, [
    { name: 'errors', type: 'error-rate', max: 0.075, maxIncrease: 0.01 },
    { name: 'traffic', type: 'request-rate', min: 1 },
  ]);
  assert.deepEqual(violations, []);
});

test('back to the VMs is a migration too, which takes the place of the one away from them', () => {
  const scene = goodScene();
  const back = { ...request, from: request.to, to: request.from };
  scene.socketAgents = [...scene.socketAgents, { network: 'pods', address: '10.1.0.1' }, { network: 'pods', address: '10.1.0.2' }];
  const away = { namespace: 'shop', name: 'orders-to-kubernetes-prod', spec: migrationOf() };
  const judged = (end: object) => {
    scene.migrations = [{ ...away, ...end }];
    return preflight(back, factsOf(scene)).checks.filter((c) => c.ok !== 'pass');
  };
  assert.deepEqual(judged({ phase: 'done', weight: 100 }), []);
  assert.deepEqual(judged({ phase: 'done', weight: 100, released: true }), []);
  assert.match(
    judged({ phase: 'rolled-back', weight: 0 })[0]?.message ?? '',
    /left everything on east\/consul\/dc1, and this one would begin at kubernetes\/prod$/,
  );
  assert.match(judged({ phase: 'aborted', weight: 25 })[0]?.message ?? '', /left 25 % on one side and the rest on the other/);
});

test('sessions that are kept by a hash stay kept, which is said', () => {
  const scene = goodScene();
  scene.documents.push({
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'orders', namespace: 'shop' },
    spec: { host: 'orders', trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: 'x-user' } } } },
  });
  const rules = plan(scene).checks.find((c) => c.name === 'rules');
  assert.deepEqual([rules?.ok, rules?.message.includes('each changes its side once at most')], ['pass', true]);
});

test('a Migration that is checked is said back as it was', () => {
  const whole = migrationOf({
    bake: '15m',
    mirror: { percent: 5 },
    dependsOn: ['stock'],
    nativeName: { registry: 'consul/dc1', atWeight: 25 },
  });
  const { spec, document, name } = preflight({ ...request, name: 'mine', spec: whole }, factsOf(goodScene()));
  assert.equal(spec, whole);
  assert.deepEqual([name, document.metadata], ['mine', { name: 'mine', namespace: 'shop' }]);
  assert.deepEqual(document.spec['nativeName'], { registry: 'consul/dc1', atWeight: 25 });
});

test('a Migration that was applied already does not stand in its own way', () => {
  const scene = goodScene();
  const sides = { from: { cluster: 'east', registry: 'consul/dc1' }, to: { cluster: 'east', registry: 'kubernetes/prod' } };
  scene.documents.push(
    {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'TrafficShift',
      metadata: { name: 'orders-to-kubernetes-prod', namespace: 'shop' },
      spec: { service: 'orders', ...sides, weight: 0, mirrorPercent: 0 },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'orders', namespace: 'shop' },
      spec: { hosts: ['orders'], http: [{ timeout: '5s', route: [{ destination: { host: 'orders' } }] }] },
    },
  );
  scene.migrations = [{ namespace: 'shop', name: 'orders-to-kubernetes-prod', spec: migrationOf(), phase: 'reserved', weight: 0 }];
  const facts = factsOf(scene);
  assert.ok(facts.traffic.service('shop/orders' as never)?.subsets.some((s) => s.name === 'isthmus-to'));
  assert.deepEqual(
    preflight(request, facts).checks.filter((c) => c.ok !== 'pass'),
    [],
  );
});
