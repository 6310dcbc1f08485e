import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MigrationState } from '../../../../control/migrate/contract.ts';
import { NativeNameHome, switchedNames } from '../../../../control/migrate/native-name/index.ts';
import type { Log } from '../../../../core/log.ts';
import type { NativeNameResult, NativeNames, SwitchedService } from '../../../../core/registry/index.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { until } from '../../../support/until.ts';

const { signal } = new AbortController();
const service: SwitchedService = { namespace: 'shop', name: 'orders', ports: [], gatewayAddresses: ['10.0.0.1'], drainOriginals: true };
const stateOf = (more: Partial<MigrationState> = {}) =>
  ({
    namespace: 'shop',
    name: 'move',
    phase: 'stepping',
    nativeName: 'original',
    spec: { service: 'orders', nativeName: { registry: 'consul/dc1', atWeight: 50 } },
    ...more,
  }) as unknown as MigrationState;

function home(names: NativeNames | string | undefined, known: SwitchedService | undefined = service) {
  const warned: string[] = [];
  const log: Log = { debug() {}, info() {}, warn: (fields) => void warned.push(JSON.stringify(fields)), error() {} };
  const clock = new ManualClock();
  return { home: new NativeNameHome({ names: () => names, service: () => known, clock, log }), warned, clock };
}

/** A registry that does as it is told, and says what it has to complain of. */
function registry(problems: readonly string[] = []) {
  const calls: string[] = [];
  const result = (state: NativeNameResult['state']): NativeNameResult => ({ state, originals: 1, drained: 0, problems });
  const names: NativeNames = {
    switch: async ({ name, gatewayAddresses }) => {
      calls.push(`switch ${name} ${gatewayAddresses}`);
      return result('switched');
    },
    restore: async ({ name }) => {
      calls.push(`restore ${name}`);
      return result('original');
    },
    restoreAll: async () => [],
  };
  return { names, calls };
}

test('what is wanted is done in the registry that the migration names, at every look', async () => {
  const { names, calls } = registry();
  const { home: it } = home(names);
  assert.equal(await it.bring(stateOf(), 'switched', signal), 'switched');
  assert.equal(await it.bring(stateOf(), 'switched', signal), 'switched');
  assert.equal(await it.bring(stateOf(), 'original', signal), 'original');
  assert.deepEqual(calls, ['switch orders 10.0.0.1', 'switch orders 10.0.0.1', 'restore orders']);
});

test('who cannot switch says why; there is nothing to restore then', async () => {
  const nomad = home('Nomad takes no registrations from outside').home;
  await assert.rejects(nomad.bring(stateOf(), 'switched', signal), /consul\/dc1: Nomad takes no registrations/);
  assert.equal(await nomad.bring(stateOf(), 'original', signal), 'original');
  await assert.rejects(home(undefined).home.bring(stateOf(), 'switched', signal), { code: 'NOT_FOUND' });
  const portless = new NativeNameHome({
    names: () => registry().names,
    service: () => undefined,
    clock: new ManualClock(),
    log: console as never,
  });
  await assert.rejects(portless.bring(stateOf(), 'switched', signal), /no gateway port yet/);
});

test('a problem is said once, and again when it is back', async () => {
  const { names } = registry(['not drained: orders-1']);
  const { home: it, warned } = home(names);
  await it.bring(stateOf(), 'switched', signal);
  await it.bring(stateOf(), 'switched', signal);
  assert.equal(warned.length, 1);
});

test('a name that stays switched after the end follows the gateways; others are left alone', async () => {
  const { names, calls } = registry();
  const { home: it, clock } = home(names);
  const stop = new AbortController();
  const states = [
    stateOf({ phase: 'done', nativeName: 'switched' }),
    stateOf({ phase: 'stepping', nativeName: 'switched' }),
    stateOf({ phase: 'done' }),
  ];
  const keeping = it.keep(() => states, stop.signal);
  await until('the first round', () => calls.length === 1 && clock.sleeping === 1);
  clock.advance(15_000);
  await until('the second', () => calls.length === 2 && clock.sleeping === 1);
  stop.abort();
  await keeping;
});

test('ports are wanted from the start of a migration that names a registry until its name is as it was', () => {
  const wanted = (more: Partial<MigrationState>) => switchedNames([stateOf(more)]).length;
  assert.equal(wanted({ phase: 'reserved' }), 0);
  for (const phase of ['waiting', 'baseline', 'stepping', 'draining', 'done', 'rolling-back'] as const)
    assert.equal(wanted({ phase }), 1, phase);
  assert.equal(wanted({ phase: 'rolled-back' }), 0);
  assert.equal(wanted({ phase: 'aborted', nativeName: 'switched' }), 1);
  assert.equal(wanted({ nativeName: 'none' }), 0);
});
