import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { externalGate } from '../../control/migrate/external/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { prometheusContract } from '../contract/migrate/prometheus-cases.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { startPrometheus } from './servers/index.ts';

prometheusContract('prometheus', startPrometheus);

test('prometheus: what it scrapes is a value; a misnamed metric, no requests and a target that is gone are none', async (t) => {
  const counts = { good: 0, bad: 0 };
  const app = createServer((_, response) => {
    const line = (code: string, count: number) => `requests_total{service="orders",namespace="shop",code="${code}"} ${count}`;
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(`${line('200', counts.good)}\n${line('500', counts.bad)}\n`);
  });
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const endApp = (): Promise<unknown> => {
    const closed = new Promise((resolve) => app.close(resolve));
    app.closeAllConnections();
    return closed;
  };
  onEnd(t, endApp);
  const prometheus = await startPrometheus({ jobs: { orders: [`127.0.0.1:${(app.address() as AddressInfo).port}`] } });
  onEnd(t, () => prometheus.stop());

  const ask = (query: string) => {
    const gate = externalGate({ type: 'prometheus', name: 'it', url: prometheus.url, query, timeoutMs: 10_000 }, systemClock);
    const question = { namespace: 'shop', migration: 'orders', service: 'orders', weight: 5, step: 1, intervalMs: 30_000 };
    assert.ok(gate !== undefined);
    return gate.ask(question, new AbortController().signal);
  };
  const selector = '{service="$service",namespace="$namespace"}';
  const ratio = (metric: string) =>
    `sum(increase(${metric}${selector.replace('}', ',code="500"}')}[$interval])) / sum(increase(${metric}${selector}[$interval]))`;

  await until('two samples without a request', async () => (await prometheus.query('count_over_time(requests_total[1m]) > 2')).size === 2);
  const idle = await ask(ratio('requests_total'));
  assert.ok(idle.kind === 'no-data' && /NaN: there were no requests/.test(idle.reason), JSON.stringify(idle));
  Object.assign(counts, { good: 97, bad: 3 });
  const rate = await until('the rate', async () => {
    const value = await ask(ratio('requests_total'));
    return value.kind === 'value' ? value : undefined;
  });
  assert.ok(Math.abs(rate.value - 0.03) < 1e-9, `3 of 100 is ${rate.value}`);
  const misnamed = await ask(ratio('request_total'));
  assert.ok(misnamed.kind === 'no-data' && /check the metric's name/.test(misnamed.reason), JSON.stringify(misnamed));
  assert.deepEqual(await ask(`sum(requests_total${selector})`), { kind: 'value', value: 100 });

  await endApp();
  const gone = await until('what is not scraped any more to be gone', async () => {
    const value = await ask(`sum(requests_total${selector})`);
    return value.kind === 'no-data' ? value : undefined;
  });
  assert.match(gone.reason, /no sample/);
});
