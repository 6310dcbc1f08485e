import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { EnvoyAdmin } from '../../../gateway/envoy/admin-client.ts';
import { findEnvoy } from '../../../gateway/envoy/binary.ts';
import { describeProxy } from '../../../gateway/envoy/describe-proxy.ts';
import { parseAccessLog, parseEnvoyLog, relayLines } from '../../../gateway/envoy/log-lines.ts';
import { leftRunning, rememberProcess } from '../../../gateway/envoy/process-file.ts';
import { readStats, statsPath } from '../../../gateway/envoy/stats.ts';
import type { SupervisorStatus } from '../../../gateway/envoy/supervisor.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

test("Envoy's log lines become ours, level by level; what is no log line is an error as it stands", () => {
  assert.deepEqual(parseEnvoyLog('warning\tconfig\tgRPC config: \\"a\\"\\nb'), {
    level: 'warn',
    logger: 'config',
    message: 'gRPC config: "a"\nb',
  });
  assert.equal(parseEnvoyLog('critical\tmain\tx')?.level, 'error');
  assert.equal(parseEnvoyLog('trace\tmain\tx')?.level, 'debug');
  assert.deepEqual(parseEnvoyLog('#3: [0x7f]'), { level: 'error', logger: '', message: '#3: [0x7f]' });
  assert.deepEqual(parseEnvoyLog('nonsense\tmain\tx'), { level: 'error', logger: '', message: 'nonsense\tmain\tx' });
  assert.equal(parseEnvoyLog('  '), undefined);
});

test('an access-log entry is the object that was written, or its text', () => {
  assert.deepEqual(parseAccessLog('{"method":"GET"}'), { method: 'GET' });
  assert.deepEqual(parseAccessLog('[1]'), { text: '[1]' });
  assert.deepEqual(parseAccessLog('GET / 200'), { text: 'GET / 200' });
  assert.equal(parseAccessLog(''), undefined);
});

test('lines come whole however they were cut, and none is longer than its limit', async () => {
  const stream = new PassThrough();
  const lines: string[] = [];
  relayLines(stream, (line) => lines.push(line));
  stream.write('one\ntw');
  stream.write('o\n');
  for (let i = 0; i < 4; i++) stream.write('x'.repeat(10_000));
  stream.end('\nlast');
  await until('the last line', () => lines.length === 4);
  assert.deepEqual([lines[0], lines[1], lines[3]], ['one', 'two', 'last']);
  assert.equal(lines[2]?.length, 16 * 1024);
});

test('counters are summed over what carries traffic: workers are not counted twice, and the admin interface not at all', () => {
  const stats = {
    'access_logs.grpc_access_log.grpc_entries_flush_failed': 3,
    'access_logs.grpc_access_log.logs_dropped': 4,
    'cluster.isthmus-control.upstream_cx_active': 1,
    'cluster.isthmus-control.upstream_rq_active': 1,
    'control_plane.connected_state': 1,
    'cluster_manager.cds.update_rejected': 1,
    'listener_manager.lds.update_rejected': 2,
    'cluster_manager.cds.update_time': 1_000,
    'listener_manager.lds.update_time': 2_000,
    'listener.127.0.0.1_15006.downstream_cx_active': 5,
    'listener.127.0.0.1_15006.worker_0.downstream_cx_active': 3,
    'listener.127.0.0.1_15006.worker_1.downstream_cx_active': 2,
    'listener.admin.downstream_cx_active': 7,
    'http.inbound.downstream_cx_active': 4,
    'http.inbound.downstream_rq_active': 2,
    'http.admin.downstream_cx_active': 1,
    'http.admin.downstream_rq_active': 1,
  };
  const body = JSON.stringify({ stats: Object.entries(stats).map(([name, value]) => ({ name, value })) });
  assert.deepEqual(readStats(body), { connected: true, updatedAt: 2_000, updateRejected: 3, connections: 5, busy: 3, lostEntries: 7 });
  // A stream of load reports is not the one that it is fed by.
  assert.equal(
    readStats(body.replace('"control_plane.connected_state","value":1', '"control_plane.connected_state","value":0'))?.connected,
    false,
  );
  const filter = new RegExp(new URL(statsPath, 'http://envoy').searchParams.get('filter') ?? '');
  for (const name of Object.keys(stats)) assert.match(name, filter);
  assert.doesNotMatch('cluster.orders.upstream_rq_active', filter);
});

test('an answer that is none of Envoy says nothing', () => {
  for (const body of ['', '{}', '{"stats":1}', 'null', '[]']) assert.equal(readStats(body), undefined, body);
  assert.deepEqual(readStats('{"stats":[{},{"name":"histograms","histograms":{}}]}'), {
    connected: false,
    updatedAt: undefined,
    updateRejected: 0,
    connections: 0,
    busy: 0,
    lostEntries: 0,
  });
});

const facts = { connected: true, updatedAt: 1_000, updateRejected: 0, connections: 2, busy: 0, lostEntries: 0 };
const live: SupervisorStatus = { state: 'live', version: '1.40.0', pid: 7, restarts: 0, facts, disconnectedMs: 0 };
const describe = (supervisor: SupervisorStatus, refused: Parameters<typeof describeProxy>[0]['refused'] = [], controlAnswers = true) => {
  const status = describeProxy({ supervisor, refused, controlAnswers, now: 4_000 });
  assert.ok(status.kind === 'envoy');
  return status;
};

test('the status of Envoy says how it is fed, and names one problem, the worst first', () => {
  const { problem, lastUpdateAgeMs, connected, connections } = describe(live);
  assert.deepEqual([problem, lastUpdateAgeMs, connected, connections], [undefined, 3_000, true, 2]);
  const lost = { ...live, facts: { ...facts, connected: false }, disconnectedMs: 31_000 };
  assert.match(describe(lost).problem ?? '', /no stream to the control plane for 31 s.*goes on/);
  assert.equal(describe({ ...lost, disconnectedMs: 5_000 }).problem, undefined);
  // Then it is not Envoy that is amiss.
  assert.equal(describe(lost, [], false).problem, undefined);
  assert.match(describe({ ...live, state: 'down', lastExit: 'ended by SIGSEGV' }).problem ?? '', /SIGSEGV/);
  const refused = [{ type: 'Listener', name: 'inbound', version: '1', reason: 'cannot bind' }];
  assert.match(describe(live, refused).problem ?? '', /inbound.*cannot bind/);
  assert.match(describe({ ...live, facts: { ...facts, updateRejected: 2 } }).problem ?? '', /refused 2 updates/);
  assert.deepEqual(describeProxy({ supervisor: undefined, refused, controlAnswers: true, now: 0 }), { kind: 'none' });
});

test('an Envoy that is missing, too old, or none at all is said with what to do', async (t) => {
  const dir = await temporaryDir(t);
  const fake = async (name: string, text: string) => {
    const path = join(dir, name);
    await writeFile(path, `#!/bin/sh\n${text}\n`);
    await chmod(path, 0o755);
    return path;
  };
  const says = (version: string) => `echo; echo '${dir}/x  version: 9e55/${version}/Clean/RELEASE/BoringSSL'`;
  await assert.rejects(findEnvoy(undefined, dir), /no envoy in PATH.*--envoy-path/);
  await assert.rejects(findEnvoy(join(dir, 'absent'), ''), /cannot be run.*--envoy-path/);
  await assert.rejects(findEnvoy(await fake('other', 'echo hello'), ''), /does not answer as Envoy does/);
  await assert.rejects(findEnvoy(await fake('old', says('1.39.9')), ''), /is Envoy 1\.39\.9; 1\.40 or newer/);
  assert.deepEqual(await findEnvoy(await fake('new', says('1.41.0-dev')), ''), { path: join(dir, 'new'), version: '1.41.0' });
  const envoy = await fake('envoy', says('2.0.0'));
  assert.deepEqual(await findEnvoy(undefined, `relative:/nonexistent:${dir}`), { path: envoy, version: '2.0.0' });
});

test('a process is known by its id and its start; what is left of another one is not', async (t) => {
  const file = join(await temporaryDir(t), 'process.json');
  assert.equal(await leftRunning(file), undefined);
  await rememberProcess(file, process.pid, 3);
  const known = await leftRunning(file);
  assert.deepEqual([known?.pid, known?.epoch], [process.pid, 3]);
  await writeFile(file, JSON.stringify({ ...known, startTime: '1' }));
  assert.equal(await leftRunning(file), undefined);
  await writeFile(file, 'nonsense');
  assert.equal(await leftRunning(file), undefined);
});

test('the admin interface is asked within limits of size and time', async (t) => {
  const socket = join(await temporaryDir(t), 'admin.sock');
  const server = createServer((request, response) => {
    if (request.url === '/large') response.end('x'.repeat(5_000));
    else if (request.url === '/slow') response.write('x');
    else response.writeHead(503).end('PRE_INITIALIZING\n');
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onEnd(t, () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const admin = new EnvoyAdmin(socket);
  assert.deepEqual(await admin.get('/ready'), { status: 503, body: 'PRE_INITIALIZING\n' });
  await assert.rejects(admin.get('/large', { maxBytes: 1_000 }), { code: 'LIMIT_EXCEEDED' });
  await assert.rejects(admin.get('/slow', { timeoutMs: 50 }), { code: 'DEADLINE_EXCEEDED' });
  await assert.rejects(new EnvoyAdmin(`${socket}.absent`).get('/ready'), { code: 'UPSTREAM_UNREACHABLE' });
});
