import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { MeshError } from '../../../core/errors.ts';
import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import type { PublishedService } from '../../../core/registry/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createKubernetesPublisher } from '../../../registries/kubernetes/index.ts';
import { FakeKubernetes } from '../../fakes/kubernetes-api.ts';
import { failure } from '../../fakes/kubernetes-calls.ts';
import { service, slice } from '../../fakes/kubernetes-objects.ts';
import { rulesWith } from '../registry/records.ts';

const signal = new AbortController().signal;
const none = { written: 0, removed: 0, conflicts: [] };
let fake = await FakeKubernetes.start();

beforeEach(async () => {
  await fake.stop();
  fake = await FakeKubernetes.start();
  fake.storage.put('namespaces', { metadata: { name: 'shop' } });
});
after(() => fake.stop());

function publisher(cluster = 'east', namespaces: readonly string[] = []) {
  const deps = { id: sourceId('kubernetes/main'), cluster: clusterId(cluster), clock: systemClock, random: Math.random, log: silentLog };
  const connection = { type: 'kubernetes', kubeconfig: fake.kubeconfig, namespaces } as const;
  return createKubernetesPublisher({ type: 'kubernetes', rules: rulesWith(), publish: true, connection }, deps);
}

const pay = (change: Partial<PublishedService> = {}): PublishedService => ({
  namespace: 'shop',
  name: 'pay',
  ports: [{ name: 'http', port: 80, protocol: 'http', gatewayPort: 16_000 }],
  gatewayAddresses: ['10.0.0.2', '10.0.0.1'],
  ...change,
});
const writes = () => fake.requests.filter((r) => r.method !== 'GET').map((r) => `${r.method} ${r.path}`);
const spec = (name: string) => fake.storage.get('services', 'shop', name)?.['spec'] as { ports: unknown[]; selector?: unknown };
const names = () => [...fake.storage.list('services'), ...fake.storage.list('endpointslices')].map((o) => o.metadata.name);

test('publishes a Service without selector and a slice per address family, once, and takes them back', async () => {
  const p = publisher();
  const both = pay({ gatewayAddresses: ['10.0.0.2', 'fd00::1', '10.0.0.1', '10.0.0.1', 'gateway.example'] });
  assert.deepEqual(await p.reconcile([both], signal), { written: 3, removed: 0, conflicts: [] });
  assert.deepEqual(spec('pay-mesh'), {
    type: 'ClusterIP',
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 16_000, appProtocol: 'http' }],
  });
  const four = fake.storage.get('endpointslices', 'shop', 'pay-mesh-ipv4');
  assert.equal(four?.metadata.labels?.['kubernetes.io/service-name'], 'pay-mesh');
  assert.equal(four?.metadata.labels?.['isthmus.dev/owner'], 'east.kubernetes_main');
  assert.deepEqual(four?.['ports'], [{ name: 'http', port: 16_000, protocol: 'TCP', appProtocol: 'http' }]);
  assert.deepEqual(
    ((four?.['endpoints'] ?? []) as { addresses: string[] }[]).map((e) => e.addresses),
    [['10.0.0.1'], ['10.0.0.2']],
  );
  const before = writes().length;
  assert.deepEqual(await p.reconcile([both], signal), none);
  assert.equal(writes().length, before, 'what is right already is not written again');
  assert.deepEqual(await p.listOwned(signal), [
    'Kubernetes EndpointSlice shop/pay-mesh-ipv4',
    'Kubernetes EndpointSlice shop/pay-mesh-ipv6',
    'Kubernetes Service shop/pay-mesh',
  ]);
  assert.deepEqual(await p.reconcile([pay()], signal), { written: 0, removed: 1, conflicts: [] });
  assert.deepEqual(await p.removeAll(signal), { written: 0, removed: 2, conflicts: [] });
  assert.deepEqual(names(), []);
  assert.match(writes().at(-2) ?? '', /DELETE .*services/, 'the name goes before its endpoints');
});

test('a change touches what it concerns; what others added stays; a selector that was put in is taken out', async () => {
  const p = publisher();
  await p.reconcile([pay()], signal);
  const live = fake.storage.get('services', 'shop', 'pay-mesh');
  assert.ok(live !== undefined);
  const labels = { ...live.metadata.labels, team: 'x' };
  fake.storage.put('services', {
    ...live,
    metadata: { ...live.metadata, labels, annotations: { a: 'b' } },
    spec: { ...(live['spec'] as object), clusterIP: '10.96.0.7', selector: { app: 'other' } },
  });
  const moved = pay({ ports: [{ name: 'http', port: 80, protocol: 'http2', gatewayPort: 16_009 }] });
  assert.deepEqual(await p.reconcile([moved], signal), { written: 2, removed: 0, conflicts: [] });
  const now = fake.storage.get('services', 'shop', 'pay-mesh');
  assert.deepEqual([now?.metadata.labels?.['team'], now?.metadata['annotations']], ['x', { a: 'b' }]);
  assert.deepEqual(now?.['spec'], {
    type: 'ClusterIP',
    clusterIP: '10.96.0.7',
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 16_009, appProtocol: 'kubernetes.io/h2c' }],
  });
});

test('port names that Kubernetes would refuse become numbers', async () => {
  const port = (name: string, number: number) => ({ name, port: number, protocol: 'tcp', gatewayPort: 16_000 + number });
  await publisher().reconcile([pay({ ports: [port('Web UI', 90), port('x', 80), port('x', 70)] })], signal);
  assert.deepEqual(
    spec('pay-mesh').ports.map((p) => (p as { name: string }).name),
    ['x', 'port-80', 'port-90'],
  );
});

test('never touches what another holds, be it a person, another cluster, or a taker of the name', async () => {
  fake.storage.put('services', service('pay-mesh', { namespace: 'shop' }));
  const [east, west] = [publisher('east'), publisher('west')];
  const before = fake.storage.version;
  const refused = await east.reconcile([pay()], signal);
  assert.match(refused.conflicts.join(), /Service shop\/pay-mesh exists, made not by Isthmus: .*rename the service/);
  assert.deepEqual([refused.written, fake.storage.version], [0, before], 'no slice under a Service of others either');
  fake.storage.delete('services', 'shop', 'pay-mesh');
  assert.equal((await east.reconcile([pay()], signal)).written, 2);
  assert.match((await west.reconcile([pay()], signal)).conflicts.join(), /by Isthmus of east\.kubernetes_main/);
  assert.deepEqual(await west.removeAll(signal), none);
  fake.storage.delete('services', 'shop', 'pay-mesh');
  fake.storage.put('services', service('pay-mesh', { namespace: 'shop' }));
  const taken = await east.reconcile([pay()], signal);
  assert.deepEqual([taken.removed, taken.conflicts.length], [1, 1], 'our slice goes, or it would divert their callers');
  assert.deepEqual(names(), ['pay-mesh']);
});

test('a slice name that is taken costs that family alone', async () => {
  fake.storage.put('endpointslices', slice('pay-mesh', [], { namespace: 'shop', name: 'pay-mesh-ipv4' }));
  const result = await publisher().reconcile([pay({ gatewayAddresses: ['10.0.0.1', 'fd00::1'] })], signal);
  assert.equal(result.written, 2);
  assert.match(result.conflicts.join(), /EndpointSlice shop\/pay-mesh-ipv4 exists/);
});

test('a missing namespace, one outside the filter and an invalid name are said, and stop nothing else', async () => {
  const result = await publisher('east', ['default', 'shop', 'none']).reconcile(
    [pay({ namespace: 'none' }), pay({ namespace: 'other' }), pay({ name: '3d' }), pay()],
    signal,
  );
  assert.equal(result.written, 2);
  assert.match(result.conflicts[0] ?? '', /namespace none does not exist: create it \(kubectl create namespace none\)/);
  assert.match(result.conflicts[1] ?? '', /namespace other is none of connection.namespaces/);
  assert.match(result.conflicts[2] ?? '', /3d-mesh is refused .*rename/);
  assert.ok(!fake.requests.some((r) => r.namespace === ''), 'with a filter nothing is read across the cluster');
});

test('somebody who writes at the same time is not overwritten, and the call says to try again', async () => {
  const p = publisher();
  await p.reconcile([pay()], signal);
  fake.fault = (request) => {
    const live = fake.storage.get('services', 'shop', 'pay-mesh');
    if (request.method === 'PUT' && live !== undefined) fake.storage.put('services', { ...live, touched: true });
    return false;
  };
  const moved = pay({ ports: [{ name: 'http', port: 81, protocol: 'http', gatewayPort: 16_000 }] });
  const retryable = (e: unknown) => e instanceof MeshError && e.code === 'CONFLICT' && e.retryable;
  await assert.rejects(p.reconcile([moved], signal), retryable);
  fake.fault = (request) => {
    const live = fake.storage.get('services', 'shop', 'pay-mesh');
    if (request.method === 'DELETE' && live !== undefined) fake.storage.put('services', { ...live, touched: true });
    return false;
  };
  await assert.rejects(p.removeAll(signal), retryable);
  fake.fault = undefined;
  assert.equal((await p.removeAll(signal)).removed, 2);
});

test('missing rights and outages reject with what to do; abort is ABORTED', async () => {
  fake.fault = (_request, response) => {
    const { code, body } = failure(403, 'Forbidden', 'services is forbidden: User "isthmus" cannot list');
    response.writeHead(code).end(JSON.stringify(body));
    return true;
  };
  const says = (code: string, text: RegExp) => (e: unknown) => e instanceof MeshError && e.code === code && text.test(e.message);
  await assert.rejects(publisher().reconcile([pay()], signal), says('REGISTRY_REFUSED', /docs\/connect-kubernetes/));
  await assert.rejects(publisher().reconcile([pay()], AbortSignal.abort()), says('ABORTED', /./));
  await fake.server.break('refused');
  await assert.rejects(publisher().listOwned(signal), says('REGISTRY_UNREACHABLE', /API server/));
});
