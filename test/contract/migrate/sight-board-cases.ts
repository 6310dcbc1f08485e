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
    const [one, two] = ['one', 'two'].map((replica) => new SightBoard({ store, replica, ttlMs: 1_000 }));
    assert.ok(one !== undefined && two !== undefined);
    assert.equal((await one.others()).size, 0);
    await one.publish(new Map([[name, sight(3)]]));
    await two.publish(new Map([[name, sight(7)]]));
    await two.publish(new Map([[name, sight(8)]]));
    assert.deepEqual(await one.others(), new Map([['two', new Map([[name, sight(8)]])]]));
    assert.deepEqual(await two.others(), new Map([['one', new Map([[name, sight(3)]])]]));
    await until('the silent one to be gone', async () => (await one.others()).size === 0);
    await two.publish(new Map([[name, sight(9)]]));
    assert.equal((await one.others()).get('two')?.get(name)?.from.requests, 9, 'who was silent for longer than its lease may speak again');
    await two.close();
    await two.close();
    assert.equal((await one.others()).size, 0);
    await one.close();
  });
}
