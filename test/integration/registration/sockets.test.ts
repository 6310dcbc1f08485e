import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { SocketTarget } from '../../../control/migrate/drain/index.ts';
import { SocketReports } from '../../../control/registration/index.ts';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import type { SocketReport } from '../../../core/xds/gen/isthmus/agent/v1/agent.ts';
import type { RegisteredWorkload } from '../../../registries/vm/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const address: SocketTarget = { network: 'a', watch: { address: '10.0.0.1', port: 8080, namespace: '', name: '' } };
const carried: SocketTarget = {
  network: 'a',
  instance: 'shop~orders~vm-1',
  watch: { address: '', port: 0, namespace: 'shop', name: 'orders' },
};

function machine(instance: string, at: string, network = 'a') {
  const record = { role: 'workload', namespace: 'shop', serviceAccount: 'orders', instance, network, addresses: [at], generation: 1 };
  return { key: `shop/orders/${instance}`, record: record as unknown as RegisteredWorkload };
}

function report(look: number, more: Partial<SocketReport> = {}): SocketReport {
  const counts = { ageMs: 100, watchingMs: 5_000, moreCallers: 0, ownConnections: 0, look };
  return { watch: { ...address.watch }, inbound: true, listening: true, fault: '', callers: [], ...counts, ...more };
}

/** Two replicas over one store. */
async function replicas(t: TestContext) {
  const store = await openEmbeddedStore({ dir: await temporaryDir(t), clock: systemClock });
  const stop = new AbortController();
  const made = [0, 1].map(() => {
    const clock = new ManualClock();
    const sockets = new SocketReports({ store, clock, log: silentLog });
    sockets.setTargets([address, carried]);
    const running = sockets.run(stop.signal);
    return { clock, sockets, running };
  });
  onEnd(t, async () => {
    stop.abort();
    await Promise.all(made.map(({ running }) => running));
    await store.close();
  });
  return { store, made };
}

test('each agent is asked for what it can see, and nobody is asked for anything where nothing drains', async (t) => {
  const [first] = (await replicas(t)).made;
  const asked = ({ record }: ReturnType<typeof machine>) => first?.sockets.watchesFor(record);
  assert.deepEqual(asked(machine('vm-1', '10.0.0.1')), [address.watch, carried.watch]);
  assert.deepEqual(asked(machine('vm-2', '10.0.0.2')), [address.watch], 'whom its programs call');
  assert.deepEqual(asked(machine('vm-1', '10.0.0.1', 'b')), [], 'the address is another machine there');
  first?.sockets.setTargets([]);
  assert.deepEqual(asked(machine('vm-1', '10.0.0.1')), []);
});

test('what one replica hears the other knows, with its age by its own clock; what is repeated grows old all the same', async (t) => {
  const { made } = await replicas(t);
  const [one, two] = made;
  if (one === undefined || two === undefined) throw new Error('two replicas');
  const { key, record } = machine('vm-1', '10.0.0.1');
  const caller = { address: '10.0.0.9', program: 'evil\n\u001b[31m', connections: 1, idleMs: 0 };
  await one.sockets.take(key, record, [report(1)]);
  await until('both to follow', () => [one, two].every(({ sockets }) => sockets.sightings().length === 1));
  await one.sockets.take(key, record, [report(2, { callers: [caller] }), report(2, { watch: { ...address.watch, port: 1 } })]);
  const [seen] = await until('the other replica to know', () => {
    const known = two.sockets.sightings();
    return known[0]?.callers.length === 1 ? known : undefined;
  });
  assert.deepEqual([seen?.instance, seen?.addresses, seen?.ageMs], ['shop~orders~vm-1', ['10.0.0.1'], 100]);
  assert.equal(seen?.callers[0]?.program, 'evil??[31m', 'it is printed for people');
  assert.equal(two.sockets.sightings().length, 1, 'what nobody asked for is not kept');
  two.clock.advance(30_000);
  await until('the first to know', () => one.sockets.sightings()[0]?.callers.length === 1);
  await one.sockets.take(key, record, [report(2, { callers: [caller] })]);
  assert.equal(two.sockets.sightings()[0]?.ageMs, 30_100);
  await one.sockets.take(key, record, [report(3)]);
  await until('the next look', () => two.sockets.sightings()[0]?.ageMs === 100);
});

test('machines that have nothing to do with it write nothing; what a replica finds at its start has no age', async (t) => {
  const { store, made } = await replicas(t);
  const [one] = made;
  const { key, record } = machine('vm-2', '10.0.0.2');
  const idle = { inbound: false, listening: false };
  await one?.sockets.take(key, record, [report(1, idle)]);
  assert.equal((await store.list('registrations/sockets/')).entries.length, 0);
  await one?.sockets.take(key, record, [report(2, { ...idle, ownConnections: 3 })]);
  await until('it is known', () => one?.sockets.sightings().length === 1);
  await one?.sockets.take(key, record, [report(3, idle)]);
  await until('it has ended', () => one?.sockets.sightings()[0]?.ownConnections === 0);

  const stop = new AbortController();
  const late = new SocketReports({ store, clock: new ManualClock(), log: silentLog });
  const running = late.run(stop.signal);
  const [old] = await until('the third replica to know', () => (late.sightings().length > 0 ? late.sightings() : undefined));
  assert.equal(old?.ageMs, Number.POSITIVE_INFINITY);
  stop.abort();
  await running;
  one?.sockets.setTargets([]);
  await until('nothing is kept', async () => (await store.list('registrations/sockets/')).entries.length === 0);
});
