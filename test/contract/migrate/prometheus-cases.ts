import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExternalQuestion, ExternalValue } from '../../../control/migrate/contract.ts';
import { externalGate } from '../../../control/migrate/external/index.ts';
import type { Clock } from '../../../core/clock.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { shiftDates } from './date-proxy.ts';

interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

const question: ExternalQuestion = { namespace: 'shop', migration: 'orders', service: 'orders', weight: 25, step: 2, intervalMs: 9_400 };

interface Asked {
  readonly url: string;
  readonly query: string;
  readonly clock?: Clock;
  readonly about?: Partial<ExternalQuestion>;
}

function ask({ url, query, clock = systemClock, about = {} }: Asked): Promise<ExternalValue> {
  const gate = externalGate({ type: 'prometheus', name: 'it', url, query, timeoutMs: 10_000 }, clock);
  assert.ok(gate !== undefined);
  return gate.ask({ ...question, ...about }, new AbortController().signal);
}

/** Query, and what its reason must say. */
const nothing: readonly (readonly [query: string, reason: RegExp])[] = [
  ['nothing_of_that_name', /no sample.*check the metric's name/],
  ['sum(nothing{service="$service"})', /no sample for 'sum\(nothing\{service="orders"\}\)'/],
  ['vector(1) or label_replace(vector(2), "a", "b", "", "")', /2 samples.*aggregate/],
  ['vector(0) / vector(0)', /gives NaN: there were no requests/],
  ['1 / 0', /gives \+Inf/],
  ['-1 / 0', /gives -Inf/],
  ['"text"', /gives a string, not one number/],
  ['vector(1)[1m:]', /gives a matrix, not one number/],
  ['sum(', /refused the query.*parse error/],
];

/** What every Prometheus does to a gate; the fake one and the real one are held to the same. */
export function prometheusContract(kind: string, start: () => Promise<Server>): void {
  test(`${kind}: one number is a value, anything else is none, with what to do`, async (t) => {
    const server = await start();
    t.after(() => server.stop());
    const { url } = server;
    assert.deepEqual(await ask({ url, query: '42' }), { kind: 'value', value: 42 });
    assert.deepEqual(await ask({ url: `${url}/`, query: 'vector(0.25)' }), { kind: 'value', value: 0.25 });
    for (const [query, reason] of nothing) {
      const value = await ask({ url, query });
      assert.ok(value.kind === 'no-data', `${query}: ${JSON.stringify(value)}`);
      assert.match(value.reason, reason);
    }
  });

  test(`${kind}: placeholders are filled in, and no name ends the string that it stands in`, async (t) => {
    const server = await start();
    t.after(() => server.stop());
    const { url } = server;
    assert.deepEqual(await ask({ url, query: 'vector($weight) * 2' }), { kind: 'value', value: 50 });
    // At a fixed time: both ends of a range count, so that in one millisecond of 3,000 there would be one more.
    assert.deepEqual(await ask({ url, query: 'count_over_time(vector(1)[$interval:3s] @ 1000)' }), { kind: 'value', value: 3 });
    for (const service of ['a"} or vector(1) #', "a'} or vector(1) #", 'a\\', 'a\nb']) {
      for (const query of ['nothing{service="$service"}', `nothing{service='$service'}`]) {
        const value = await ask({ url, query, about: { service } });
        assert.ok(value.kind === 'no-data' && /no sample/.test(value.reason), `${query}, ${service}: ${JSON.stringify(value)}`);
      }
    }
  });

  test(`${kind}: a clock that differs is no data, ours or theirs, forward or back`, async (t) => {
    const server = await start();
    t.after(() => server.stop());
    const { url } = server;
    for (const [minutes, reason] of [
      [10, /(59\d|60\d) s behind the control plane.*set the clocks/],
      [-10, /(59\d|60\d) s ahead of the control plane/],
    ] as const) {
      const clock: Clock = { ...systemClock, now: () => Date.now() + minutes * 60_000 };
      const value = await ask({ url, query: '42', clock });
      assert.ok(value.kind === 'no-data', `ours by ${minutes} min: ${JSON.stringify(value)}`);
      assert.match(value.reason, reason);
    }
    for (const minutes of [10, -10]) {
      const proxy = await shiftDates(url, minutes * 60_000);
      t.after(() => proxy.stop());
      const value = await ask({ url: proxy.url, query: '42' });
      assert.ok(value.kind === 'no-data', `theirs by ${minutes} min: ${JSON.stringify(value)}`);
      assert.match(value.reason, minutes > 0 ? /ahead of/ : /behind/);
    }
    const near = await shiftDates(url, 30_000);
    t.after(() => near.stop());
    assert.equal((await ask({ url: near.url, query: '42' })).kind, 'value', 'half a minute is let pass');
  });

  test(`${kind}: gone is no data, and its path is not another's`, async (t) => {
    const server = await start();
    t.after(() => server.stop());
    const elsewhere = await ask({ url: `${server.url}/prefix`, query: '42' });
    assert.ok(elsewhere.kind === 'no-data' && /404: check the path/.test(elsewhere.reason), JSON.stringify(elsewhere));
    await server.stop();
    const value = await ask({ url: server.url, query: '42' });
    assert.ok(value.kind === 'no-data');
    assert.match(value.reason, /^Prometheus at http:\/\/127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\): check the gate's url/);
  });
}
