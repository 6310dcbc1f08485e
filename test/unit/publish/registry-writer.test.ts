import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryWriter } from '../../../control/publish/index.ts';
import { silentLog } from '../../../core/log.ts';
import { sourceId } from '../../../core/model/index.ts';
import type { OwningPublisher } from '../../../core/registry/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { until } from '../../support/until.ts';

const recheckMs = 300_000;

test('a registry in which somebody else keeps changing our records is named, and left alone for longer each time', async () => {
  let rival = false;
  let calls = 0;
  const nothing = { written: 0, removed: 0, conflicts: [] };
  const publisher: OwningPublisher = {
    id: sourceId('consul/dc1'),
    reconcile: async () => {
      calls += 1;
      return { ...nothing, written: rival || calls === 1 ? 1 : 0 };
    },
    listOwned: async () => [],
    removeAll: async () => nothing,
  };
  const clock = new ManualClock();
  const writer = new RegistryWriter(publisher, { clock, random: () => 0, log: silentLog });
  const stop = new AbortController();
  const running = writer.run(stop.signal);
  const afterRechecks = async (count: number, expected: number) => {
    await until('it waits', () => clock.sleeping === 1);
    clock.advance(recheckMs * count);
    await until(`${expected} calls`, () => calls === expected);
  };
  writer.want([]);
  await until('it is written', () => calls === 1);
  rival = true;
  await afterRechecks(1, 2);
  assert.deepEqual(writer.problems(), [], 'once is an accident, which is repaired');
  await afterRechecks(1, 3);
  await until('the rival is named', () => writer.problems().some((p) => /somebody else keeps changing/.test(p)));
  await until('it waits', () => clock.sleeping === 1);
  clock.advance(recheckMs);
  await until('it waits on', () => clock.sleeping === 1);
  assert.equal(calls, 3, 'one recheck is left out');
  rival = false;
  await afterRechecks(1, 4);
  await until('the rival is gone', () => writer.problems().length === 0);
  stop.abort();
  await running;
});

test("a record that is repaired once and then stays is nobody's fight", async () => {
  const results = [1, 1, 0, 1];
  let calls = 0;
  const nothing = { written: 0, removed: 0, conflicts: [] };
  const publisher: OwningPublisher = {
    id: sourceId('consul/dc1'),
    reconcile: async () => ({ ...nothing, written: results[calls++] ?? 0 }),
    listOwned: async () => [],
    removeAll: async () => nothing,
  };
  const clock = new ManualClock();
  const writer = new RegistryWriter(publisher, { clock, random: () => 0, log: silentLog });
  const stop = new AbortController();
  const running = writer.run(stop.signal);
  writer.want([]);
  for (const expected of [1, 2, 3, 4]) {
    await until(`${expected} calls`, () => calls === expected);
    await until('it waits', () => clock.sleeping === 1);
    clock.advance(recheckMs);
  }
  assert.deepEqual(writer.problems(), []);
  stop.abort();
  await running;
});
