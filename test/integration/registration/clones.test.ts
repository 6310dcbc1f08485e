import assert from 'node:assert/strict';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Takeovers } from '../../../control/registration/index.ts';
import { silentLog } from '../../../core/log.ts';
import { prepareJoin } from '../../../sidecar-vm/main.ts';
import { AgentPlane, agentOptions, runTestAgent, type TestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/until.ts';

/** One machine, and a copy of its disk. */
async function twins(t: TestContext) {
  const plane = await AgentPlane.start(t);
  const services = [{ namespace: 'shop', name: 'orders', port: 8080, appPort: 1 }];
  const original = agentOptions({ stateDir: await temporaryDir(t), token: await plane.token('orders'), services });
  const first = await runTestAgent(t, original);
  await until('a registration', () => plane.registered('vm-1'));
  await first.agent.drain();
  const copy = { ...original, stateDir: await temporaryDir(t) };
  await cp(original.stateDir, copy.stateDir, { recursive: true, filter: (path) => !path.includes('agent.lock') });
  return { plane, original, copy };
}

test('two machines with one state: the newer start wins each time, the loser ends and says why, and a clone is suspected', {
  timeout: 120_000,
}, async (t) => {
  const { plane, original, copy } = await twins(t);
  let serving: TestAgent = await runTestAgent(t, original);
  await until('the first', async () => serving.agent.status().registration === 'registered');
  for (const options of [copy, original, copy]) {
    const before = serving;
    const { generation } = await until('a registration', () => plane.registered('vm-1'));
    assert.equal((await plane.registered('vm-1'))?.clone, undefined, 'one takeover is a restart');
    // Generations follow the clock, in s: of two starts of one second the second one would be refused.
    await until('the next second', () => Date.now() >= (generation + 1) * 1_000);
    serving = await runTestAgent(t, options);
    await assert.rejects(before.agent.ended, {
      code: 'FENCED',
      message: /(was started again|registered again).*vm-1 too.*--reset-identity --instance NAME/,
    });
    assert.match(before.lines.join('\n'), /another start of this instance has taken over/);
    const { generation: after } = await until('the newer one', async () => {
      const record = await plane.registered('vm-1');
      return (record?.generation ?? 0) > generation ? record : undefined;
    });
    assert.ok(after > generation);
  }
  const suspected = await until('a suspicion', async () => (await plane.registered('vm-1'))?.clone);
  assert.deepEqual(suspected.sources, ['127.0.0.1']);
  assert.ok(plane.plane.lines.some((line) => line.startsWith('clone suspected')));
  assert.equal(serving.agent.status().registration, 'registered', 'whoever came last serves');
});

test('two copies of one state that start within the same second: the one that registered first stays, the other is put out, and a clone is suspected', {
  timeout: 60_000,
}, async (t) => {
  const { plane, original, copy } = await twins(t);
  // Both follow what their disks say, which is ahead of the clock, and so each next start of the two is of one generation again.
  const ahead = Math.floor(Date.now() / 1_000) + 100;
  for (const { stateDir } of [original, copy]) await writeFile(join(stateDir, 'identity', 'generation'), `${ahead}\n`);
  const first = await runTestAgent(t, original);
  const held = await until('the first', async () => {
    const record = await plane.registered('vm-1');
    return first.agent.status().registration === 'registered' && record?.generation === ahead + 1 ? record : undefined;
  });
  const second = await runTestAgent(t, copy);
  await assert.rejects(second.agent.ended, {
    code: 'FENCED',
    message: new RegExp(`another start of instance vm-1 is registered under generation ${ahead + 1} too.*--reset-identity --instance NAME`),
  });
  assert.match(second.lines.join('\n'), /another start of this instance has taken over/);
  assert.equal(first.agent.status().registration, 'registered');
  assert.equal((await plane.registered('vm-1'))?.start, held.start);
  assert.deepEqual(await plane.plane.refused(), { 'registration fenced': 1 });

  // The control plane is away for a moment: the same start goes on.
  await plane.stop();
  await plane.start();
  await until('the first again', () => plane.plane.lines.some((line) => line.startsWith('instance registered')));
  assert.equal((await plane.registered('vm-1'))?.start, held.start);

  // Whoever was put out comes back newer, as its supervisor starts it again, and puts the other one out: by turns from then on.
  const third = await runTestAgent(t, copy);
  await assert.rejects(first.agent.ended, { code: 'FENCED' });
  assert.equal((await plane.registered('vm-1'))?.generation, ahead + 2);
  const fourth = await runTestAgent(t, original);
  await assert.rejects(fourth.agent.ended, { code: 'FENCED', message: /is registered under generation/ });
  await runTestAgent(t, original);
  await assert.rejects(third.agent.ended, { code: 'FENCED' });
  const suspected = await until('a suspicion', async () => (await plane.registered('vm-1'))?.clone);
  assert.deepEqual(suspected.sources, ['127.0.0.1']);
});

test('takeovers count within ten minutes of each other, each instance for itself, and from where', async () => {
  const clock = new ManualClock();
  const said: { key: string; sources: readonly string[] }[] = [];
  const instances = { setClone: async (key: string, { sources }: { sources: readonly string[] }) => void said.push({ key, sources }) };
  const takeovers = new Takeovers({
    instances: instances as unknown as ConstructorParameters<typeof Takeovers>[0]['instances'],
    clock,
    log: silentLog,
  });
  const note = async (key: string, sources: string[], minutes: number) => {
    clock.advance(minutes * 60_000);
    await takeovers.note(key, sources);
  };
  for (const minutes of [0, 9, 9, 9]) await note('slow', ['10.0.0.1'], minutes);
  assert.deepEqual(said, [], 'restarts, each some time after the other');
  await note('a', ['10.0.0.1', '10.0.0.2'], 0);
  await note('b', ['10.0.0.9'], 0);
  await note('a', ['10.0.0.2', '10.0.0.1'], 3);
  await note('b', ['10.0.0.9'], 0);
  assert.deepEqual(said, []);
  await note('a', ['10.0.0.3'], 3);
  assert.deepEqual(said, [{ key: 'a', sources: ['10.0.0.1', '10.0.0.2', '10.0.0.3'] }]);
});

test('two machines with tokens and states of their own and one name put each other out; a name of its own, with a new token, ends it', {
  timeout: 60_000,
}, async (t) => {
  const plane = await AgentPlane.start(t);
  const services = [{ namespace: 'shop', name: 'orders', port: 8080, appPort: 1 }];
  const machine = async () => agentOptions({ stateDir: await temporaryDir(t), token: await plane.token('orders'), services });
  const first = await runTestAgent(t, await machine());
  const { generation } = await until('a registration', () => plane.registered('vm-1'));
  await until('the next second', () => Date.now() >= (generation + 1) * 1_000);
  const namesake = await machine();
  const second = await runTestAgent(t, namesake);
  await assert.rejects(first.agent.ended, { code: 'FENCED', message: /vm-1 too.*--instance NAME/ });
  await second.agent.drain();
  const renamed = { ...namesake, instance: 'vm-2', token: await plane.token('orders') };
  await prepareJoin(renamed, { resetIdentity: true });
  await runTestAgent(t, await machine());
  await runTestAgent(t, renamed);
  await until('both', async () => (await plane.registered('vm-1')) !== undefined && (await plane.registered('vm-2')) !== undefined);
});
