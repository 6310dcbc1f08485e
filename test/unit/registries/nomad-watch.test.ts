import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createNomadSource } from '../../../registries/nomad/index.ts';
import { Follower } from '../../contract/registries/follower.ts';
import { FakeNomad } from '../../fakes/nomad.ts';
import { until } from '../../support/until.ts';
import { rulesWith } from '../registry/records.ts';

const deps = { id: sourceId('nomad/dc1'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
const tuning = { waitMs: 60_000, marginMs: 2_000, streamIdleMs: 60_000, checkIntervalMs: 20, backoff: { baseMs: 10, maxMs: 50 } };
let fake: FakeNomad;
let follower: Follower;

beforeEach(async () => {
  fake = new FakeNomad();
  await fake.server.start();
});
afterEach(async () => {
  await follower.stop();
  await fake.stop();
});

function follow(): void {
  const connection = { type: 'nomad', url: fake.server.url, namespace: '*', region: 'eu' } as const;
  follower = new Follower(createNomadSource({ type: 'nomad', rules: rulesWith(), publish: false, connection }, deps, tuning));
}

function run(ID: string, ServiceName: string, Port: number): void {
  fake.state.register({ ID, ServiceName, Port });
  fake.state.setAllocation(`alloc-${ID}`, {});
  fake.notify();
}

test('a stream that is cut is resumed by index, and what its buffer forgot is found: no stale, no new snapshot', async () => {
  fake.buffer = 3;
  run('a', 'web', 8001);
  follow();
  await follower.untilPorts('web', 8001);
  await until('the stream is open', () => fake.streams === 1);
  // While nobody listens more happens than the buffer holds.
  fake.server.break('refused');
  const state = fake.state;
  for (let i = 0; i < 50; i++) {
    state.register({ ID: `b${i}`, ServiceName: `many${i}`, Port: 9000 + i });
    state.setAllocation(`alloc-b${i}`, {});
  }
  state.deregister('a');
  await fake.server.repair();
  await follower.untilPorts('many0', 9000);
  await follower.untilPorts('many49', 9049);
  await follower.untilPorts('web');
});

test('a cut that is short goes unnoticed', async () => {
  run('a', 'web', 8001);
  follow();
  await follower.untilPorts('web', 8001);
  await until('the stream is open', () => fake.streams === 1);
  fake.cutStreams();
  run('b', 'web', 8002);
  await follower.untilPorts('web', 8001, 8002);
  await until('the stream is open again', () => fake.streams === 1);
  assert.deepEqual(
    follower.kinds().filter((k) => k !== 'upsert'),
    ['snapshot'],
  );
  const streams = fake.requests.filter((r) => r.includes('/v1/event/stream'));
  assert.match(streams.at(-1) ?? '', /index=[1-9]/);
});

test('region and namespaces are on every request; nodes and allocations decide', async () => {
  fake.state.setNode('node-1', 'ready');
  run('a', 'web', 8001);
  follow();
  await follower.untilPorts('web', 8001);
  for (const request of fake.requests) assert.ok(request.includes('region=eu'), request);
  fake.state.setNode('node-1', 'down');
  fake.notify();
  await follower.untilPorts('web');
  assert.deepEqual(follower.ports('web', true), [8001]);
  fake.state.setNode('node-1', 'ready');
  fake.state.setAllocation('alloc-a', { DesiredStatus: 'stop' });
  fake.notify();
  await until('it drains', () => follower.state.get('default/web')?.endpoints[0]?.health === 'draining');
});

test('the first snapshot knows the checks already', async () => {
  run('a', 'web', 8001);
  fake.state.checks.set('alloc-a', { x: { Service: 'web', Status: 'failure', Check: 'up' } });
  follow();
  await follower.untilKind('snapshot');
  const [first] = follower.events;
  assert.ok(first?.kind === 'snapshot');
  assert.equal(first.services[0]?.endpoints[0]?.health, 'unhealthy');
});

test('a token without node:read gets a stream without nodes', async () => {
  fake.forbidden.add('/v1/nodes');
  run('a', 'web', 8001);
  follow();
  await follower.untilPorts('web', 8001);
  await until('the stream is open', () => fake.streams === 1);
  run('b', 'web', 8002);
  await follower.untilPorts('web', 8001, 8002);
});
