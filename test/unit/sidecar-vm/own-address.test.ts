import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { silentLog } from '../../../core/log.ts';
import { addressTowards, OwnAddress } from '../../../sidecar-vm/own-address/index.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** A machine whose interfaces and route the test sets; `moves` are what the agent was told. */
async function machine(t: TestContext, configured: string, start: { readonly interfaces: string[]; readonly route: string | undefined }) {
  const clock = new ManualClock();
  const state = { ...start, asked: 0, moves: [] as string[] };
  const own = await OwnAddress.open({
    configured,
    find: async () => {
      state.asked += 1;
      return state.route;
    },
    interfaces: () => state.interfaces,
    clock,
    log: silentLog,
  });
  const stop = new AbortController();
  const running = own.run((address) => void state.moves.push(address), stop.signal);
  t.after(async () => {
    stop.abort();
    await running;
  });
  const pass = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      clock.advance(1_000);
      await turn();
    }
  };
  return { own, state, pass };
}

test('a configured address stays, whatever the machine has', async (t) => {
  const { own, state, pass } = await machine(t, '10.0.0.7', { interfaces: ['10.0.0.7'], route: '10.0.0.7' });
  Object.assign(state, { interfaces: ['10.0.0.8'], route: '10.0.0.8' });
  await pass(60);
  assert.deepEqual([own.current, state.moves, state.asked], ['10.0.0.7', [], 0]);
});

test('a DHCP lease: the old address goes, nothing leads anywhere for a while, the new one is told once, within a second', async (t) => {
  const { own, state, pass } = await machine(t, 'auto', { interfaces: ['127.0.0.1', '10.0.0.7'], route: '10.0.0.7' });
  assert.equal(own.current, '10.0.0.7');
  Object.assign(state, { interfaces: ['127.0.0.1'], route: undefined });
  await pass(5);
  assert.deepEqual([own.current, state.moves], ['10.0.0.7', []], 'none is no reason to say anything');
  Object.assign(state, { interfaces: ['127.0.0.1', '169.254.7.7'], route: '169.254.7.7' });
  await pass(5);
  assert.deepEqual([own.current, state.moves], ['10.0.0.7', []], 'nobody is reached at a link-local address');
  // The address comes before the route.
  Object.assign(state, { interfaces: ['127.0.0.1', '10.0.0.8'], route: undefined });
  await pass(2);
  state.route = '10.0.0.8';
  await pass(1);
  assert.deepEqual([own.current, state.moves], ['10.0.0.8', ['10.0.0.8']]);
  await pass(100);
  assert.deepEqual(state.moves, ['10.0.0.8']);
});

test('other interfaces that come and go change nothing while the route stays', async (t) => {
  const { state, pass } = await machine(t, 'auto', { interfaces: ['10.0.0.7'], route: '10.0.0.7' });
  for (let i = 0; i < 10; i++) {
    state.interfaces = ['10.0.0.7', `172.17.0.${i + 1}`];
    await pass(1);
  }
  assert.deepEqual(state.moves, []);
});

test('a route that moves to another interface is found within half a minute; an idle machine is asked no more often than that', async (t) => {
  const { own, state, pass } = await machine(t, 'auto', { interfaces: ['10.0.0.7', '10.1.0.7'], route: '10.0.0.7' });
  await pass(300);
  assert.ok(state.asked <= 12, `asked ${state.asked} times in 5 min`);
  state.route = '10.1.0.7';
  await pass(31);
  assert.deepEqual([own.current, state.moves], ['10.1.0.7', ['10.1.0.7']]);
});

test('a machine that starts without any has none until there is one', async (t) => {
  const { own, state, pass } = await machine(t, 'auto', { interfaces: ['127.0.0.1'], route: undefined });
  assert.equal(own.current, undefined);
  await pass(3);
  Object.assign(state, { interfaces: ['127.0.0.1', '10.0.0.7'], route: '10.0.0.7' });
  await pass(1);
  assert.deepEqual([own.current, state.moves], ['10.0.0.7', ['10.0.0.7']]);
});

test('the kernel says which address leads to the first of several that can be reached', async () => {
  assert.equal(await addressTowards(['[::ffff:not-an-address]:1', '127.0.0.1:15012']), '127.0.0.1');
  assert.equal(await addressTowards([]), undefined);
});
