import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import type { ConsulConnection } from '../../../core/config/index.ts';
import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import type { PublishedService } from '../../../core/registry/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createConsulPublisher } from '../../../registries/consul/index.ts';
import { FakeConsul } from '../../fakes/consul.ts';
import { rulesWith } from '../registry/records.ts';

const signal = new AbortController().signal;
let fake = new FakeConsul();

beforeEach(async () => {
  await fake.stop();
  fake = new FakeConsul();
  await fake.server.start();
});
after(() => fake.stop());

function publisher(cluster = 'east', connection: Partial<ConsulConnection> = {}) {
  const deps = { id: sourceId('consul/dc1'), cluster: clusterId(cluster), clock: systemClock, random: Math.random, log: silentLog };
  const spec = {
    type: 'consul',
    rules: rulesWith(),
    publish: true,
    connection: { type: 'consul', url: fake.server.url, ...connection },
  } as const;
  return createConsulPublisher(spec, deps, { marginMs: 1_000 });
}

const pay = (change: Partial<PublishedService> = {}): PublishedService => ({
  namespace: 'shop',
  name: 'pay',
  ports: [{ name: 'http', port: 80, protocol: 'http', gatewayPort: 16_000 }],
  gatewayAddresses: ['10.0.0.2', '10.0.0.1'],
  ...change,
});
const writes = () => fake.requests.filter((r) => r.startsWith('PUT'));
const names = () => Object.keys(fake.state.read('catalog/services', '')?.body as object);

test('publishes one instance per port and gateway, once, and takes them back with their node', async () => {
  const p = publisher();
  assert.deepEqual(await p.reconcile([pay()], signal), { written: 2, removed: 0, conflicts: [] });
  const node = fake.state.read('catalog/node', 'isthmus-east')?.body as { Node: { Meta: object }; Services: Record<string, object> };
  assert.deepEqual(node.Node.Meta, { 'external-node': 'true', 'external-probe': 'false', 'isthmus-owner': 'east' });
  const instance = node.Services['isthmus:shop:pay:80:10.0.0.1'] as Record<string, unknown>;
  assert.deepEqual(
    [instance['Service'], instance['Address'], instance['Port'], instance['Tags']],
    ['pay-mesh', '10.0.0.1', 16_000, ['http']],
  );
  assert.equal((await p.listOwned(signal)).length, 2);

  const before = writes().length;
  assert.deepEqual(await p.reconcile([pay()], signal), { written: 0, removed: 0, conflicts: [] });
  assert.equal(writes().length, before, 'what is right already is not written again');

  assert.deepEqual(
    await p.reconcile(
      [pay({ gatewayAddresses: ['10.0.0.1'], ports: [{ name: 'http', port: 80, protocol: 'http', gatewayPort: 16_009 }] })],
      signal,
    ),
    {
      written: 1,
      removed: 1,
      conflicts: [],
    },
  );
  assert.deepEqual(await p.removeAll(signal), { written: 0, removed: 1, conflicts: [] });
  assert.deepEqual(await p.listOwned(signal), []);
  assert.equal(fake.state.read('catalog/node', 'isthmus-east')?.body, null);
});

test('never touches what another holds: the oldest bears the name', async () => {
  fake.state.register({ Node: 'vm1', Address: '10.9.9.9', Service: { Service: 'pay-mesh', Port: 1 } });
  const east = publisher();
  const result = await east.reconcile([pay(), pay({ name: 'orders' })], signal);
  assert.equal(result.written, 2);
  assert.match(result.conflicts[0] ?? '', /^pay-mesh: registered by node vm1 \(pay-mesh\): not published/);
  const west = await publisher('west').reconcile([pay({ name: 'orders' })], signal);
  assert.equal(west.written, 0);
  assert.match(west.conflicts[0] ?? '', /Isthmus of east\.consul_dc1/);
  fake.state.register({ Node: 'vm2', Address: '10.9.9.8', Service: { Service: 'orders-mesh', Port: 1 } });
  const late = await east.reconcile([pay({ name: 'orders' })], signal);
  assert.deepEqual([late.written, late.removed], [0, 0]);
  assert.match(late.conflicts[0] ?? '', /also registered by node vm2/);
  await east.removeAll(signal);
  assert.deepEqual(names().sort(), ['orders-mesh', 'pay-mesh']);
});

test("a node of that name that is somebody else's is left alone", async () => {
  fake.state.register({ Node: 'isthmus-east', Address: '10.9.9.9', Service: { Service: 'theirs', Port: 1 } });
  const result = await publisher().reconcile([pay()], signal);
  assert.equal(result.written, 0);
  assert.match(result.conflicts[0] ?? '', /node isthmus-east is not Isthmus/);
  await publisher().removeAll(signal);
  assert.deepEqual(names(), ['theirs']);
});

test('two namespaces with one name: the first has it, the other is reported; too long a name too', async () => {
  const result = await publisher().reconcile([pay(), pay({ namespace: 'ops' }), pay({ name: 'x'.repeat(60) })], signal);
  assert.equal(result.written, 2);
  assert.match(result.conflicts.join('\n'), /shop\/pay: ops\/pay is published as pay-mesh already/);
  assert.match(result.conflicts.join('\n'), /longer than a DNS label/);
});

test('token file, datacenter, namespace and partition are on every request', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'consul-publish-'));
  const tokenFile = join(folder, 'token');
  fake.token = 'first';
  await writeFile(tokenFile, 'wrong\n', { mode: 0o600 });
  const p = publisher('east', { tokenFile, datacenter: 'dc9', namespace: 'team', partition: 'p1' });
  await assert.rejects(
    p.reconcile([pay()], signal),
    (e: Error & { code: string }) => e.code === 'REGISTRY_REFUSED' && !e.message.includes('wrong'),
  );
  await writeFile(tokenFile, 'first\n');
  await p.reconcile([pay()], signal);
  for (const request of fake.requests) for (const part of ['dc=dc9', 'ns=team', 'partition=p1']) assert.ok(request.includes(part), request);
  await rm(folder, { recursive: true });
});

test('a Consul that breaks while it is written to gives one coded error, and the next call completes', async () => {
  const p = publisher();
  for (const how of ['errors', 'refused', 'reset', 'half-json', 'silence', 'garbage', 'wrong-json'] as const) {
    await fake.server.break(how);
    await assert.rejects(
      p.reconcile([pay()], signal),
      (e: Error & { code: string; retryable: boolean }) => e.name === 'MeshError' && e.retryable,
      how,
    );
    await fake.server.repair();
  }
  assert.equal((await p.reconcile([pay()], signal)).written, 2);
  const controller = new AbortController();
  await fake.server.break('silence');
  setImmediate(() => controller.abort());
  await assert.rejects(p.reconcile([], controller.signal), { code: 'ABORTED' });
});
