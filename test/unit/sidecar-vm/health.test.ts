import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../../../core/system-clock.ts';
import { runProbe, watchHealth } from '../../../sidecar-vm/health/index.ts';
import { applyResult, initialHealth } from '../../../sidecar-vm/health/thresholds.ts';

const pass = { ok: true, reason: 'ok' };
const fail = { ok: false, reason: 'no' };

test('thresholds: the first result decides, then a change needs its full streak in a row', () => {
  const thresholds = { healthy: 2, unhealthy: 3 };
  const verdicts = (results: readonly { ok: boolean; reason: string }[]) => {
    let state = initialHealth;
    return results.map((r) => {
      state = applyResult(state, r, thresholds);
      return state.verdict;
    });
  };
  assert.deepEqual(verdicts([fail, pass, fail, pass, pass]), ['unhealthy', 'unhealthy', 'unhealthy', 'unhealthy', 'healthy']);
  assert.deepEqual(verdicts([pass, fail, fail, pass, fail, fail, fail]), [
    'healthy',
    'healthy',
    'healthy',
    'healthy',
    'healthy',
    'healthy',
    'unhealthy',
  ]);
});

test('http: 2xx and 3xx pass, 5xx, silence and a closed port fail within the timeout', async () => {
  let status = 204;
  const server = createHttpServer((_q, r) => {
    if (status !== 0) r.writeHead(status).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const probe = { kind: 'http', host: '127.0.0.1', port: (server.address() as AddressInfo).port, path: '/healthz' } as const;
  assert.equal((await runProbe(probe, 2_000)).ok, true);
  status = 503;
  assert.deepEqual(await runProbe(probe, 2_000), { ok: false, reason: 'GET /healthz: 503' });
  status = 0;
  assert.equal((await runProbe(probe, 50)).ok, false);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  assert.equal((await runProbe(probe, 2_000)).ok, false);
});

test('tcp: an accepted connection passes; refused fails', async () => {
  const server = createServer((s) => s.destroy()).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const probe = { kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port } as const;
  assert.equal((await runProbe(probe, 2_000)).ok, true);
  await new Promise((resolve) => server.close(resolve));
  assert.equal((await runProbe(probe, 2_000)).ok, false);
});

test('exec: the exit code decides, a hung command and what it started are ended, a missing one is named', async () => {
  assert.equal((await runProbe({ kind: 'exec', command: ['true'] }, 5_000)).ok, true);
  assert.match((await runProbe({ kind: 'exec', command: ['false'] }, 5_000)).reason, /exit 1/);
  assert.match((await runProbe({ kind: 'exec', command: ['sh', '-c', 'sleep 60 & wait'] }, 100)).reason, /no answer in 100 ms/);
  assert.match((await runProbe({ kind: 'exec', command: ['/no/such/check'] }, 5_000)).reason, /ENOENT/);
});

test('watchHealth yields changes only and ends with its signal', async () => {
  const results = [pass, pass, fail, fail, pass];
  const stop = new AbortController();
  const run = async () => {
    if (results.length === 1) stop.abort();
    return results.shift() ?? fail;
  };
  const check = {
    probe: { kind: 'exec', command: ['true'] },
    intervalMs: 1,
    timeoutMs: 1,
    thresholds: { healthy: 1, unhealthy: 2 },
  } as const;
  const seen: string[] = [];
  for await (const state of watchHealth(check, { clock: systemClock, run }, stop.signal)) seen.push(state.verdict);
  assert.deepEqual(seen, ['healthy', 'unhealthy', 'healthy']);
});
