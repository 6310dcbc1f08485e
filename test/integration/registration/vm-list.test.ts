import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { test } from 'node:test';
import type { InstanceList } from '../../../core/admin/index.ts';
import { runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { until } from '../../support/until.ts';
import { GuardedMesh } from '../policy/guarded-mesh.ts';

test('vm list says how far each instance has come, what keeps it, and what to do', { timeout: 120_000 }, async (t) => {
  const mesh = await GuardedMesh.start(t);
  const list = async () => (JSON.parse(await mesh.cli('vm', 'list', '--output', 'json')) as InstanceList).instances;
  const find = async (id: string) => (await list()).find((each) => each.id === id);
  const okOf = (instance: Awaited<ReturnType<typeof find>>) => instance?.stages.map(({ stage, ok }) => `${stage} ${ok}`);

  await mesh.identity('web');
  const bare = await find('bare-web');
  assert.deepEqual(okOf(bare), ['attested yes', 'registered no', 'healthy unknown', 'selectable no', 'reachable unknown']);
  assert.equal(bare?.stage, 'attested');
  assert.deepEqual(bare?.services, ['shop/web']);
  assert.match(bare?.reason ?? '', /has not registered/);
  assert.match(bare?.next ?? '', /isthmus vm status/);

  const orders = await mesh.vm('orders', 8080);
  const reached = await until('orders to be reachable', async () => {
    const found = await find('vm-orders');
    return found?.stage === 'reachable' ? found : undefined;
  });
  assert.deepEqual(okOf(reached), ['attested yes', 'registered yes', 'healthy yes', 'selectable yes', 'reachable yes']);
  assert.equal(reached.reason, undefined);
  assert.equal(reached.attestor, 'join-token');
  await until('the agent to say so itself', () => orders.agent.status().stages.some(({ stage, ok }) => stage === 'reachable' && ok));

  const text = await mesh.cli('vm', 'list');
  assert.match(text, /^vm-orders +workload +shop\/orders +reachable +y y y y y /m);
  assert.match(text, /^bare-web +workload +shop\/web +attested +y n \? n \? /m);
  assert.match(text, /^INSTANCE +WHY NO FURTHER +WHAT TO DO$/m);

  const stages = () => mesh.samples('isthmus_instance_stage');
  assert.deepEqual(await stages(), {
    'instance=bare-web namespace=shop stage=attested': 1,
    'instance=vm-orders namespace=shop stage=reachable': 1,
  });
  const { 'stage=attested': attested, 'stage=reachable': reachable, 'stage=revoked': revoked } = await mesh.samples('isthmus_instances');
  assert.deepEqual([attested, reachable, revoked], [1, 1, 0]);
  assert.deepEqual(await mesh.samples('isthmus_clones_suspected'), { '': 0 });

  // A copy of the machine's disk: the two start by turns.
  const copy = { ...orders.options, stateDir: await temporaryDir(t) };
  await cp(orders.options.stateDir, copy.stateDir, { recursive: true, filter: (path) => !/agent\.lock|\.sock$/.test(path) });
  let before = orders.agent;
  for (const options of [copy, orders.options, copy]) {
    const { generation } = await until('a registration', () => find('vm-orders'));
    await until('the next second', () => Date.now() >= (generation + 1) * 1_000);
    const { agent } = await runTestAgent(t, options);
    await assert.rejects(before.ended, { code: 'FENCED' });
    before = agent;
  }
  await until('a suspicion', async () => (await mesh.samples('isthmus_clones_suspected'))[''] === 1);
  assert.match((await find('vm-orders'))?.cloneSuspected ?? '', /127\.0\.0\.1/);
});
