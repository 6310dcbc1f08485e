import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Sight, SightBoard } from '../../../control/migrate/replicas/index.ts';
import { until } from '../../support/until.ts';
import type { OpenHarness } from '../store/harness.ts';

const counts = (requests: number) => ({
  requests,
  errors: 1,
  connections: 0,
  connectionErrors: 0,
  latency: new Map([[40, requests]]),
  latencySumMs: 5,
});
const sight = (requests: number): Sight => ({
  from: counts(requests),
  to: counts(0),
  callers: [{ source: 'web', cluster: 'home', from: requests, to: 0 }],
  proxies: { callers: 1, heard: ['web'], silent: [], connected: ['web'], behind: [] },
});
const name = 'shop/orders';

/** What replicas tell each other, by any Store. */
export function sightBoardContract(kind: string, open: OpenHarness): void {
  test(`${kind}: replicas see what the others told last, and nothing of one that is gone`, async (t) => {
    const { store } = await open(t);
    const board = (replica: string, ttlMs: number) => new SightBoard({ store, replica, ttlMs });
    const [one, two] = [board('one', 60_000), board('two', 60_000)];
    assert.equal((await one.others()).size, 0);
    await one.publish(new Map([[name, sight(3)]]));
    await two.publish(new Map([[name, sight(7)]]));
    await two.publish(new Map([[name, sight(8)]]));
    assert.deepEqual(await one.others(), new Map([['two', new Map([[name, sight(8)]])]]));
    assert.deepEqual(await two.others(), new Map([['one', new Map([[name, sight(3)]])]]));
    await two.close();
    await two.close();
    assert.equal((await one.others()).size, 0);
    await one.close();
  });

  test(`${kind}: who was silent for longer than its lease is gone, and may speak again`, async (t) => {
    const { store } = await open(t);
    const [one, two] = [new SightBoard({ store, replica: 'one', ttlMs: 60_000 }), new SightBoard({ store, replica: 'two', ttlMs: 1_000 })];
    const seen = async () => (await one.others()).get('two')?.get(name)?.from.requests;
    await two.publish(new Map([[name, sight(8)]]));
    await until('the silent one to be gone', async () => (await seen()) === undefined);
    await until('it to be heard again', async () => {
      await two.publish(new Map([[name, sight(9)]]));
      return (await seen()) === 9;
    });
    await two.close();
    await one.close();
  });
}
