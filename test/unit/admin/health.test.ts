import assert from 'node:assert/strict';
import test from 'node:test';
import { type HealthCheck, HealthServer } from '../../../control/admin/index.ts';
import { createMetrics } from '../../../control/telemetry/index.ts';
import type { MeshError } from '../../../core/errors.ts';

test('readiness says which check fails, and that it drains; metrics carry the cluster', async (t) => {
  const metrics = createMetrics({ cluster: 'east' });
  // Set at the scrape alone: a probe of readiness is not what brings gauges up to date.
  const beforeScrape = () => metrics.sourceState.set({ cluster: 'east', source: 'consul/dc1', state: 'live' }, 1);
  let checks: HealthCheck[] = [{ name: 'store', ok: false, reason: 'disk full' }];
  const server = new HealthServer({
    listen: { host: '127.0.0.1', port: 0 },
    readiness: () => checks,
    metrics: metrics.registry,
    beforeScrape,
  });
  await server.start();
  t.after(() => server.dispose());
  const get = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${server.address.port}${path}`, { method });
  assert.equal((await get('/healthz')).status, 200);
  const unready = await get('/readyz');
  assert.deepEqual([unready.status, await unready.json()], [503, { ready: false, checks }]);
  checks = [{ name: 'store', ok: true }];
  assert.equal((await get('/readyz')).status, 200);
  const text = await (await get('/metrics')).text();
  assert.match(text, /isthmus_source_state\{.*source="consul\/dc1".*isthmus_cluster="east".*\} 1/);
  assert.match(text, /isthmus_build_info\{version="[0-9.]+"/);
  assert.equal((await get('/healthz', 'POST')).status, 404);
  await server.drain();
  assert.equal((await get('/readyz')).status, 503);
  assert.equal((await get('/healthz')).status, 200);
});

test('a port that somebody has is named, as a fault of the configuration', async (t) => {
  const { registry } = createMetrics({ cluster: 'east' });
  const first = new HealthServer({
    listen: { host: '127.0.0.1', port: 0 },
    readiness: () => [],
    metrics: registry,
    beforeScrape: () => {},
  });
  await first.start();
  t.after(() => first.dispose());
  const { port } = first.address;
  const second = new HealthServer({ listen: { host: '127.0.0.1', port }, readiness: () => [], metrics: registry, beforeScrape: () => {} });
  await assert.rejects(second.start(), (error: unknown) => {
    assert.deepEqual([(error as MeshError).code, String(error).includes(`127.0.0.1:${port}`)], ['PORT_TAKEN', true]);
    return true;
  });
});
