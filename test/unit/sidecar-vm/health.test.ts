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

test("http: the statuses that pass and the host that is asked for are the service's to say", async () => {
  const hosts: string[] = [];
  const server = createHttpServer((q, r) => {
    hosts.push(q.headers.host ?? '');
    r.writeHead(q.headers.host === 'orders.local' ? 299 : 404).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const probe = { kind: 'http', host: '127.0.0.1', port, path: '/' } as const;
  const statuses = [
    { from: 200, to: 200 },
    { from: 404, to: 404 },
  ];
  assert.equal((await runProbe({ ...probe, statuses }, 2_000)).ok, true);
  assert.deepEqual(await runProbe({ ...probe, statuses, asHost: 'orders.local' }, 2_000), { ok: false, reason: 'GET /: 299' });
  assert.deepEqual(hosts, [`127.0.0.1:${port}`, 'orders.local']);
  await new Promise((resolve) => server.close(resolve));
});

test('grpc: SERVING passes; NOT_SERVING, an unknown service, silence, another protocol and a closed port do not', async () => {
  // grpc-js is the server: our probe is its own client of HTTP/2.
  const { Server, ServerCredentials, status } = await import('@grpc/grpc-js');
  const server = new Server();
  const bytes = (value: Buffer) => value;
  const answers: Readonly<Record<string, Buffer>> = {
    '': Buffer.from([8, 1]),
    ready: Buffer.from([8, 1]),
    ill: Buffer.from([8, 2]),
    empty: Buffer.alloc(0),
  };
  const check = {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  } as const;
  const handler = ({ request }: { request: Buffer }, callback: (error: object | null, value?: Buffer) => void) => {
    const name = request.length === 0 ? '' : request.toString('utf8', 2);
    if (name === 'silent') return;
    const answer = answers[name];
    callback(answer === undefined ? { code: status.NOT_FOUND } : null, answer);
  };
  server.addService({ Check: check }, { Check: handler });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, at) => (error === null ? resolve(at) : reject(error))),
  );
  const probe = (service: string, timeoutMs = 2_000) => runProbe({ kind: 'grpc', host: '127.0.0.1', port, service }, timeoutMs);
  assert.deepEqual(await probe(''), { ok: true, reason: 'gRPC health: SERVING' });
  assert.deepEqual(await probe('ready'), { ok: true, reason: 'gRPC health of ready: SERVING' });
  assert.deepEqual(await probe('ill'), { ok: false, reason: 'gRPC health of ill: not SERVING' });
  assert.deepEqual(await probe('empty'), { ok: false, reason: 'gRPC health of empty: not SERVING' });
  assert.deepEqual(await probe('other'), { ok: false, reason: 'gRPC health of other: the server does not know that service' });
  assert.deepEqual(await probe('silent', 100), { ok: false, reason: 'gRPC health of silent: no answer in 100 ms' });
  server.forceShutdown();
  assert.equal((await probe('')).ok, false);
  const http = createHttpServer((_q, r) => r.end('no')).listen(0, '127.0.0.1');
  await new Promise((resolve) => http.once('listening', resolve));
  const wrong = { kind: 'grpc', host: '127.0.0.1', port: (http.address() as AddressInfo).port, service: '' } as const;
  assert.equal((await runProbe(wrong, 2_000)).ok, false);
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});
