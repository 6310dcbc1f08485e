import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createKubernetesNativeNames } from '../../../registries/kubernetes/index.ts';
import { FakeKubernetes } from '../../fakes/kubernetes-api.ts';
import { service } from '../../fakes/kubernetes-objects.ts';
import { rulesWith } from '../registry/records.ts';

const { signal } = new AbortController();
const port = (name: string, number: number, protocol = 'TCP') => ({ name, port: number, protocol });
const gatewayPort = (number: number) => ({ name: 'http', port: number, protocol: 'http', gatewayPort: 16_000 + number });
let fake = await FakeKubernetes.start();

beforeEach(async () => {
  await fake.stop();
  fake = await FakeKubernetes.start();
  fake.storage.put('namespaces', { metadata: { name: 'shop' } });
});
after(() => fake.stop());

/** Switches the name of shop/orders, and takes its originals from it where that may be. */
async function switchName(nativePorts: readonly object[], gatewayPorts: readonly number[]) {
  fake.storage.put('services', service('orders', { namespace: 'shop', spec: { ports: nativePorts, selector: { app: 'orders' } } }));
  const deps = { id: sourceId('kubernetes/prod'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
  const connection = { type: 'kubernetes', kubeconfig: fake.kubeconfig, namespaces: [] } as const;
  const names = createKubernetesNativeNames(
    { type: 'kubernetes', rules: rulesWith({ namespaceFrom: 'native' }), publish: true, connection },
    deps,
  );
  const wanted = { namespace: 'shop', name: 'orders', ports: gatewayPorts.map(gatewayPort), gatewayAddresses: ['10.9.0.1'] };
  const result = await names.switch({ ...wanted, drainOriginals: true }, signal);
  const spec = fake.storage.get('services', 'shop', 'orders')?.['spec'] as { readonly selector?: object } | undefined;
  return { result, isTaken: JSON.stringify(spec?.selector) !== JSON.stringify({ app: 'orders' }) };
}

test('originals leave their name where gateways answer at each of its ports', async () => {
  assert.deepEqual([(await switchName([port('web', 80), port('admin', 81)], [80, 81])).isTaken], [true]);
});

for (const [what, ports, said] of [
  ['a port has no gateway port', [port('web', 80), port('admin', 81)], '81/TCP'],
  ['a port is not of TCP', [port('web', 80), port('dns', 53, 'UDP')], '53/UDP'],
] as const) {
  test(`originals stay where ${what}: nobody else would answer there`, async () => {
    const { result, isTaken } = await switchName(ports, [80]);
    assert.equal(isTaken, false);
    assert.equal(result.state, 'switched');
    assert.ok(result.problems.join().includes(`nobody would answer at its ports ${said}`), result.problems.join());
  });
}

test('originals stay where the gateways could not be written under the name', async () => {
  fake.storage.put('endpointslices', { metadata: { namespace: 'shop', name: 'orders-isthmus-ipv4', labels: { whose: 'another' } } });
  const { result, isTaken } = await switchName([port('web', 80)], [80]);
  assert.deepEqual([isTaken, result.state, result.drained], [false, 'original', 0]);
  assert.match(result.problems.join(), /EndpointSlice shop\/orders-isthmus-ipv4 was not written/);
});
