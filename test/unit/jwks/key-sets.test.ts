import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { fetchKeys, KeySets } from '../../../control/jwks/index.ts';
import { silentLog } from '../../../core/log.ts';
import type { Store } from '../../../core/store.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { until } from '../../support/until.ts';

const uri = 'https://issuer.test/keys';
const ed = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };

/** What was put, and nothing of leases or watches. */
class Kept implements Pick<Store, 'list' | 'txn'> {
  readonly values = new Map<string, Uint8Array>();

  async list(prefix: string) {
    const entries = [...this.values].filter(([key]) => key.startsWith(prefix));
    return { entries: entries.map(([key, value]) => ({ key, value, createRevision: 1, modRevision: 1, version: 1 })), revision: 1 };
  }

  async txn({ then }: Parameters<Store['txn']>[0]) {
    for (const op of then) {
      if (op.op === 'put') this.values.set(op.key, op.value);
      else this.values.delete(op.key);
    }
    return { succeeded: true, revision: 1 };
  }
}

function scene(t: TestContext, kept = new Kept()) {
  const clock = new ManualClock();
  const stop = new AbortController();
  t.after(() => stop.abort());
  const asked: string[] = [];
  let answer: () => Promise<string> = async () => 'one';
  let changes = 0;
  const open = () =>
    KeySets.open(
      {
        store: kept as never,
        clock,
        random: () => 0.5,
        log: silentLog,
        fetch: (of) => {
          asked.push(of);
          return answer();
        },
        onChange: () => {
          changes += 1;
        },
      },
      stop.signal,
    );
  return { kept, clock, asked, open, stop, changes: () => changes, answers: (by: () => Promise<string>) => (answer = by) };
}

/** Once somebody waits for that. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  await until('it to wait', () => clock.sleeping > 0);
  clock.advance(ms);
}

test('keys are fetched again in time, and only others are a change', async (t) => {
  const { clock, asked, open, changes, answers } = scene(t);
  const sets = await open();
  sets.want(new Map([[uri, 1_000]]));
  await until('the first', () => sets.current(uri) === 'one');
  await pass(clock, 20 * 60_000);
  await until('the second time', () => asked.length === 2);
  assert.equal(changes(), 1);
  answers(async () => 'two');
  await pass(clock, 20 * 60_000);
  await until('others', () => sets.current(uri) === 'two');
  assert.equal(changes(), 2);
});

test('an issuer that is away changes nothing, also not by a restart; one that nobody names any more is forgotten', async (t) => {
  const first = scene(t);
  const before = await first.open();
  before.want(new Map([[uri, 1_000]]));
  await until('the first', () => before.current(uri) === 'one');
  await until('it to be kept', () => first.kept.values.size === 1);
  first.stop.abort();
  const second = scene(t, first.kept);
  second.answers(() => Promise.reject(new Error('away')));
  const after = await second.open();
  after.want(new Map([[uri, 1_000]]));
  assert.equal(after.current(uri), 'one');
  await until('it to be asked', () => second.asked.length === 1);
  await pass(second.clock, 2_000);
  await until('it to be asked again soon', () => second.asked.length === 2);
  assert.equal(after.current(uri), 'one');
  after.want(new Map());
  assert.equal(after.current(uri), undefined);
  await until('it to be forgotten', () => first.kept.values.size === 0);
});

async function issuerOf(t: TestContext, status: number, body: string, headers: Record<string, string> = {}): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status, headers).end(body));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys?x=secret`;
}

test('of what an issuer sends public keys alone are taken; what is no set of keys, too long, elsewhere or late is refused, without its words', async (t) => {
  const { signal } = new AbortController();
  const ask = (at: string, timeoutMs = 10_000) => fetchKeys(at, timeoutMs, systemClock, signal);
  const mixed = JSON.stringify({ keys: [{ ...ed, kid: 'a', d: 'secret' }, { kty: 'oct', k: 'secret' }, { ...ed, kid: 'b', more: 1 }, 1] });
  assert.deepEqual(JSON.parse(await ask(await issuerOf(t, 200, mixed))), { keys: [{ ...ed, kid: 'b' }] });
  const wrong: readonly (readonly [string, RegExp])[] = [
    [await issuerOf(t, 200, '{"keys":[{"kty":"oct","k":"secret"}]}'), /sends no public key/],
    [await issuerOf(t, 200, 'secret'), /sends no public key/],
    [await issuerOf(t, 500, 'secret'), /answers 500/],
    [await issuerOf(t, 302, '', { location: 'http://127.0.0.1:1/' }), /answers 302/],
    [await issuerOf(t, 200, 'x'.repeat(300_000)), /sends more than 262144 bytes/],
    ['http://127.0.0.1:1/keys', /cannot be asked for its keys \(ECONNREFUSED\)/],
  ];
  for (const [at, message] of wrong) {
    await assert.rejects(ask(at), (error: Error) => message.test(error.message) && !error.message.includes('secret'), String(message));
  }
});
