import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { silentLog } from '../../core/log.ts';
import { clusterId, sourceId } from '../../core/model/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { createKubernetesNativeNames, createKubernetesPublisher, createKubernetesSource } from '../../registries/kubernetes/index.ts';
import { Follower } from '../contract/registries/follower.ts';
import { until } from '../support/until.ts';
import { rulesWith } from '../unit/registry/records.ts';
import { type RunningKubernetes, startKubernetes } from './servers/index.ts';

const deps = { id: sourceId('kubernetes/prod'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
const { signal } = new AbortController();
const orders = { namespace: 'shop', name: 'orders' };
const ports = [{ name: 'http', port: 80, protocol: 'http', gatewayPort: 16_001 }];
const switched = { ...orders, ports, gatewayAddresses: ['10.9.0.1', '10.9.0.2'] };
const pods = ['10.1.0.1:8080', '10.1.0.2:8080'];
const gateways = ['10.9.0.1:16001', '10.9.0.2:16001'];
const service = '/api/v1/namespaces/shop/services/orders';

let kubernetes: RunningKubernetes;
before(async () => {
  kubernetes = await startKubernetes();
  const { api } = kubernetes;
  await api.ensureNamespace('shop');
  const podsOf = (app: string, from: number) =>
    Promise.all(
      [1, 2].map((n) => api.writePod({ namespace: 'shop', name: `${app}-${n}`, labels: { app }, ip: `10.1.${from}.${n}`, ready: true })),
    );
  await podsOf('orders', 0);
  await podsOf('carts', 1);
  for (const name of ['orders', 'carts']) {
    const spec = { selector: { app: name }, ports: [{ name: 'web', port: 80, targetPort: 8080 }] };
    await api.apply({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop', annotations: { mine: 'kept' } }, spec });
  }
});
after(() => kubernetes?.stop());

interface Slice {
  readonly metadata: { readonly labels: Record<string, string> };
  readonly ports: readonly { readonly name: string; readonly port: number }[] | null;
  readonly endpoints: readonly { readonly addresses: readonly string[]; readonly conditions: { readonly ready?: boolean } }[] | null;
}

/** Where kube-proxy would send callers of the Service: all its slices together. */
async function answering(name = 'orders'): Promise<string[]> {
  const { body } = await kubernetes.api.call(
    'GET',
    `/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D${name}`,
  );
  return (JSON.parse(body) as { items: Slice[] }).items
    .flatMap((slice) => {
      const port = slice.ports?.find((each) => each.name === 'web')?.port;
      const ready = (slice.endpoints ?? []).filter((endpoint) => endpoint.conditions.ready !== false);
      return ready.flatMap(({ addresses }) => addresses.map((address) => `${address}:${port}`));
    })
    .sort();
}

function replica(cluster = 'east') {
  const connection = { type: 'kubernetes', kubeconfig: kubernetes.kubeconfig, namespaces: [] } as const;
  const spec = { type: 'kubernetes', rules: rulesWith({ namespaceFrom: 'native' }), publish: true, connection } as const;
  const mine = { ...deps, cluster: clusterId(cluster) };
  return {
    names: createKubernetesNativeNames(spec, mine),
    publisher: createKubernetesPublisher(spec, mine),
    source: createKubernetesSource(spec, mine),
  };
}

const spec = async () =>
  (await kubernetes.api.get(service)) as unknown as { metadata: { annotations?: object }; spec: { selector?: object } };

test('gateways join the Service; with takeover its pods leave it, stay in the mesh without a gap, and are back as they were', async () => {
  const { names, publisher, source } = replica();
  await until('the pods answer', async () => (await answering()).length === 2);
  const follower = new Follower(source);
  const endpoints = () => follower.state.get('shop/orders')?.endpoints.map(({ address, health }) => `${address} ${health}`);
  try {
    await until('they are imported', () => endpoints()?.length === 2);
    const known = endpoints();
    const added = await names.switch({ ...switched, drainOriginals: false }, signal);
    assert.deepEqual(added, { state: 'switched', originals: 2, drained: 0, problems: [] });
    assert.deepEqual(await answering(), [...pods, ...gateways].sort());
    await publisher.reconcile([], signal);
    assert.deepEqual(await answering(), [...pods, ...gateways].sort(), 'what is published as NAME-mesh is another matter');

    const before = follower.events.length;
    const taken = await names.switch({ ...switched, drainOriginals: true }, signal);
    assert.deepEqual(taken, { state: 'switched', originals: 2, drained: 2, problems: [] });
    assert.deepEqual(await answering(), gateways);
    assert.deepEqual(await names.switch({ ...switched, drainOriginals: true }, signal), taken, 'again it is the same');
    assert.deepEqual(endpoints(), known, 'the mesh knows them still, and no gateway');
    const fewest = follower.events
      .slice(before)
      .map((event) => (event.kind === 'upsert' && event.service.name === 'orders' ? event.service.endpoints.length : 2));
    assert.ok(
      fewest.every((count) => count === 2),
      'and did at every moment',
    );

    await kubernetes.api.writePod({ namespace: 'shop', name: 'orders-3', labels: { app: 'orders' }, ip: '10.1.0.3', ready: true });
    await until('a new pod is imported', () => endpoints()?.length === 3);
    assert.deepEqual(await answering(), gateways);
    await kubernetes.api.remove('/api/v1/namespaces/shop/pods/orders-3');
    await until('and gone', () => endpoints()?.length === 2);

    // Another replica, which knows nothing of all this.
    const restored = await replica().names.restore(orders, signal);
    assert.deepEqual(restored, { state: 'original', originals: 2, drained: 0, problems: [] });
    assert.deepEqual(await answering(), pods);
    assert.deepEqual(await names.restore(orders, signal), restored);
    const now = await spec();
    assert.deepEqual([now.spec.selector, now.metadata.annotations], [{ app: 'orders' }, { mine: 'kept' }]);
    assert.equal(await kubernetes.api.get(`${service}-isthmus-original`), undefined);
    await until('the mesh has what it had', () => JSON.stringify(endpoints()) === JSON.stringify(known));
  } finally {
    await follower.stop();
  }
});

test('a selector that somebody sets meanwhile stands, during and after; another Isthmus leaves what is taken', async () => {
  const { names } = replica();
  await names.switch({ ...switched, drainOriginals: true }, signal);
  const other = await replica('west').names.switch({ ...switched, drainOriginals: true }, signal);
  assert.match(other.problems.join(), /taken over by another Isthmus/);
  await replica('west').names.restore(orders, signal);
  assert.deepEqual(await answering(), gateways);
  await kubernetes.api.call('PUT', service, { ...(await spec()), spec: { ...(await spec()).spec, selector: { app: 'carts' } } });
  const carts = ['10.1.1.1:8080', '10.1.1.2:8080'];
  await until('their pods answer', async () => (await answering()).length === 4);
  const still = await names.switch({ ...switched, drainOriginals: true }, signal);
  assert.deepEqual([still.state, still.drained], ['switched', 0]);
  assert.match(still.problems.join(), /was given another selector after it was taken over: that stands/);
  assert.equal((await names.restore(orders, signal)).state, 'original');
  assert.deepEqual(await answering(), carts);
  await kubernetes.api.call('PUT', service, { ...(await spec()), spec: { ...(await spec()).spec, selector: { app: 'orders' } } });
  await until('all is as it was', async () => JSON.stringify(await answering()) === JSON.stringify(pods));
});

test('without a gateway or a Service of that name nothing is touched; uninstalling takes all of it back', async () => {
  const { names, publisher } = replica();
  const none = await names.switch({ ...switched, gatewayAddresses: [], drainOriginals: true }, signal);
  assert.deepEqual([none.state, none.drained], ['original', 0]);
  assert.match(none.problems.join(), /has no gateway here: run one/);
  assert.match(
    (await names.switch({ ...switched, name: 'pay', drainOriginals: true }, signal)).problems.join(),
    /no Service here is shop\/pay/,
  );
  const otherPort = { ...switched, ports: [{ name: 'x', port: 81, protocol: 'http', gatewayPort: 16_002 }] };
  assert.match((await names.switch({ ...otherPort, drainOriginals: true }, signal)).problems.join(), /no port of the Service/);
  assert.deepEqual(await answering(), pods);
  await names.switch({ ...switched, drainOriginals: true }, signal);
  await names.switch({ ...switched, gatewayAddresses: ['10.9.0.3', 'fd00::3'], drainOriginals: true }, signal);
  assert.deepEqual(await answering(), ['10.9.0.3:16001', 'fd00::3:16001'], 'gateways come and go');
  assert.deepEqual((await publisher.removeAll(signal)).conflicts, []);
  assert.deepEqual(await answering(), pods);
  assert.deepEqual(await publisher.listOwned(signal), []);
});
