import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { openEtcdStore } from '../../control/store/index.ts';
import type { Store, WatchBatch } from '../../core/store.ts';
import { systemClock } from '../../core/system-clock.ts';
import { leadershipContract } from '../contract/leadership/suite.ts';
import { sightBoardContract } from '../contract/migrate/sight-board-cases.ts';
import { type OpenHarness, put, shape, write } from '../contract/store/harness.ts';
import { storeContract } from '../contract/store/suite.ts';
import { until } from '../support/until.ts';
import { type RunningEtcd, startEtcd } from './servers/etcd.ts';

let etcd: RunningEtcd;
let tests = 0;

before(async () => {
  etcd = await startEtcd();
});
after(() => etcd.stop());

const open = (prefix: string, more: object = {}): Promise<Store> =>
  openEtcdStore({ endpoints: [etcd.url], prefix, clock: systemClock, random: Math.random, ...more });

const post = async (path: string, body: unknown): Promise<void> => {
  const response = await fetch(`${etcd.url}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) });
  assert.equal(response.status, 200, await response.text());
};

const openHarness: OpenHarness = async (t) => {
  // Each test has an etcd to itself, as far as it can see.
  const prefix = `test-${++tests}/`;
  let store = await open(prefix);
  t.after(() => store.close());
  return {
    store,
    async reopen() {
      await store.close();
      store = await open(prefix);
      return store;
    },
    async forgetHistory() {
      await post('kv/compaction', { revision: String((await store.list('')).revision), physical: true });
    },
  };
};

storeContract('etcd', openHarness);
leadershipContract('etcd', openHarness);
sightBoardContract('etcd', openHarness);

async function watching(t: TestContext, store: Store, after: number): Promise<string[]> {
  const seen: WatchBatch[] = [];
  const shapes: string[] = [];
  const controller = new AbortController();
  const done = (async () => {
    for await (const batch of store.watch('w/', after, controller.signal)) {
      seen.push(batch);
      shapes.push(shape(batch));
    }
  })();
  t.after(async () => {
    controller.abort();
    await done;
  });
  return shapes;
}

test('a watch goes on after etcd was killed and came back, without loss or repetition', async (t) => {
  const store = await open('killed/');
  t.after(() => store.close());
  const { revision } = await store.list('');
  const shapes = await watching(t, store, revision);
  const expected: string[] = [];
  for (let round = 0; round < 3; round++) {
    expected.push(`${await write(store, put('w/a', `before ${round}`))}: w/a=before ${round}`);
    await etcd.kill9();
    await assert.rejects(write(store, put('w/a', 'lost')), { code: 'STORE_UNAVAILABLE', retryable: true });
    await assert.rejects(store.get('w/a'), { code: 'STORE_UNAVAILABLE' });
    await etcd.restart();
    const written = await until('etcd takes writes again', () => write(store, put('w/a', `after ${round}`)));
    expected.push(`${written}: w/a=after ${round}`);
  }
  await until('the watch has caught up', () => shapes.length >= expected.length);
  assert.deepEqual(shapes, expected);
});

test('a watch of a server that hangs goes on when it answers again', async (t) => {
  const store = await open('hangs/');
  t.after(() => store.close());
  const other = await open('hangs/');
  t.after(() => other.close());
  const { revision } = await store.list('');
  const shapes = await watching(t, store, revision);
  const first = await write(store, put('w/a', '1'));
  await until('the first is seen', () => shapes.length === 1);
  etcd.suspend();
  const hanging = write(other, put('w/a', '2'));
  hanging.catch(() => undefined);
  etcd.resume();
  const second = await hanging;
  await until('the second is seen', () => shapes.length === 2);
  assert.deepEqual(shapes, [`${first}: w/a=1`, `${second}: w/a=2`]);
});

test('fails over to a member that answers, for reads and writes', async (t) => {
  const store = await open('failover/', { endpoints: ['http://127.0.0.1:1', etcd.url, 'http://127.0.0.1:2'] });
  t.after(() => store.close());
  // Whichever member is picked first: a write that was certainly not sent goes to the next.
  await Promise.all(Array.from({ length: 30 }, (_, i) => write(store, put(`k/${i}`))));
  for (let i = 0; i < 30; i++) await store.get(`k/${i}`);
  assert.equal((await store.list('k/')).entries.length, 30);
});

test('says what to check when nobody answers', async () => {
  await assert.rejects(open('nobody/', { endpoints: ['http://127.0.0.1:1'] }), {
    code: 'STORE_UNAVAILABLE',
    message: /etcd at http:\/\/127\.0\.0\.1:1: .*check that it runs/,
  });
});

test('authenticates, gets a new token when its own is void, and says when it is refused', async (t) => {
  await post('auth/user/add', { name: 'root', password: 'root-pw' });
  await post('auth/role/add', { name: 'root' });
  await post('auth/user/grant', { user: 'root', role: 'root' });
  await post('auth/enable', {});
  const store = await open('auth/', { auth: { username: 'root', password: 'root-pw' } });
  const { revision } = await store.list('');
  const shapes = await watching(t, store, revision);
  await write(store, put('w/a', '1'));
  // Simple tokens live in memory: a restart voids them all.
  await etcd.kill9();
  await etcd.restart();
  await until('a new token is had', () => write(store, put('w/a', '2')));
  await until('the watch has one too', () => shapes.length >= 2);
  await assert.rejects(open('auth/', { auth: { username: 'root', password: 'wrong' } }), {
    code: 'STORE_UNAVAILABLE',
    message: /refused the credential/,
  });
  await assert.rejects(open('auth/'), { code: 'STORE_UNAVAILABLE', message: /refused the credential/ });
  t.after(() => store.close());
});
