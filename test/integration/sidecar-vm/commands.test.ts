import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startEchoApp } from '../../../cli/demo/echo-app.ts';
import { AgentPlane } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { cannotBeOthers, runAs } from '../../support/other-user.ts';
import { runCli } from '../../support/run-cli.ts';
import { until } from '../../support/until.ts';

const main = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));
const anyPort = ['--inbound', '127.0.0.1:0', '--dns', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--no-loopback'];

interface Started {
  readonly child: ChildProcess;
  readonly ports: { readonly inbound: number; readonly dns: number; readonly admin: number };
  readonly code: Promise<number | null>;
}

/** Runs a command that stays; resolves when it has said its ports. Killed with the test if it is still there. */
async function start(t: TestContext, args: readonly string[], input = ''): Promise<Started> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  onEnd(t, () => child.kill('SIGKILL'));
  const code = once(child, 'exit').then(([exit]) => exit as number | null);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  child.stdin.end(input);
  const line = await until('the ports', () => {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${err}`);
    return out.split('\n').find((each) => each.startsWith('{"ready":true'));
  });
  return { child, code, ports: (JSON.parse(line) as { ports: Started['ports'] }).ports };
}

test('vm join, status, agent after a restart, leave: each command does what its page says', async (t) => {
  const plane = await AgentPlane.start(t);
  const app = await startEchoApp('orders');
  onEnd(t, () => app.close());
  const state = await temporaryDir(t);
  const token = await plane.token('orders');
  const admin = `127.0.0.1:${await deadPort()}`;
  const where = ['--address', '127.0.0.1', '--state-dir', state, '--instance', 'vm-cli', ...anyPort, '--admin', admin];
  const service = ['--service', 'shop/orders', '--port', '8080', '--app-port', String(app.port), '--health', 'http:/healthz'];
  const joined = await start(t, ['vm', 'join', '-', ...service, ...where], `${token}\n`);
  await until('a healthy registration', async () => (await plane.healthOf('vm-cli')) === true);
  assert.equal((await plane.registered('vm-cli'))?.network, 'east', 'the network is named as the cluster of the token');
  const status = await until('a ready agent', async () => {
    const said = await runCli(['vm', 'status', '--admin', admin]);
    return said.code === 0 ? said.out : undefined;
  });
  assert.match(status, /^vm-cli \(.*\), network east: ready\nspiffe:\/\/mesh.test\/ns\/shop\/sa\/orders of cluster east/);
  assert.match(status, /registered +yes/);
  assert.match(status, /shop\/orders +healthy +GET \/healthz: 200/);
  const second = await runCli(['agent', '--state-dir', state]);
  assert.deepEqual([second.code, second.err.includes(`pid ${joined.child.pid} `)], [1, true], second.err);
  joined.child.kill('SIGTERM');
  assert.equal(await joined.code, 0);
  await until(
    'the farewell to be written down: a restart is not a goodbye',
    async () => (await plane.registered('vm-cli'))?.draining === true,
  );
  const again = await start(t, ['agent', '--state-dir', state]);
  await until('a healthy registration', async () => {
    const record = await plane.registered('vm-cli');
    return record?.draining === false && record.services[0]?.healthy === true;
  });
  const left = await runCli(['vm', 'leave', '--state-dir', state]);
  assert.deepEqual([left.code, left.out], [0, 'vm-cli has left the mesh.\n'], left.err);
  assert.equal(await again.code, 0);
  assert.equal(await plane.registered('vm-cli'), undefined);
  const gone = await runCli(['agent', '--state-dir', state, '-o', 'json']);
  assert.deepEqual([gone.code, JSON.parse(gone.err.trim().split('\n').at(-1) ?? '').error.code], [2, 'CONFIG_INVALID']);
  assert.equal((await runCli(['vm', 'status', '--admin', admin])).code, 3);
});

test('root takes a machine out whose agent runs as another user, as under systemd', { skip: cannotBeOthers }, async (t) => {
  const plane = await AgentPlane.start(t);
  const state = await temporaryDir(t);
  const where = ['--address', '127.0.0.1', '--state-dir', state, '--instance', 'vm-cli', ...anyPort];
  const saved = await runCli(['vm', 'join', await plane.token('orders'), ...where, '--save-only']);
  assert.equal(saved.code, 0, saved.err);
  const other = { uid: 4_711, gid: 4_711 };
  for (const path of [state, ...(await readdir(state)).map((name) => join(state, name))]) await chown(path, other.uid, other.gid);
  const agent = runAs(
    other,
    `process.argv.push(${JSON.stringify(main)}, 'agent', '--state-dir', ${JSON.stringify(state)}); import(${JSON.stringify(main)});`,
  );
  onEnd(t, () => agent.kill());
  agent.child.stdout?.resume();
  await until('a registration', async () => (await plane.registered('vm-cli')) !== undefined);
  const left = await runCli(['vm', 'leave', '--state-dir', state, '-o', 'json']);
  assert.deepEqual([left.code, JSON.parse(left.out)], [0, { instance: 'vm-cli', result: 'left' }], left.err);
  assert.equal(await plane.registered('vm-cli'), undefined);
  const files = await Promise.all((await readdir(state)).map(async (name) => [name, (await stat(join(state, name))).uid]));
  assert.deepEqual(
    files.filter(([, uid]) => uid !== other.uid),
    [],
    'the agent can read all that is there',
  );
});

test('leaving without a running agent deregisters all the same', async (t) => {
  const plane = await AgentPlane.start(t);
  const state = await temporaryDir(t);
  const args = [
    'vm',
    'join',
    await plane.token('orders'),
    '--address',
    '127.0.0.1',
    '--state-dir',
    state,
    '--instance',
    'vm-cli',
    ...anyPort,
  ];
  const joined = await start(t, args);
  await until('a registration', async () => (await plane.registered('vm-cli')) !== undefined);
  joined.child.kill('SIGKILL');
  await joined.code;
  const left = await runCli(['vm', 'leave', '--state-dir', state, '-o', 'json']);
  assert.deepEqual([left.code, JSON.parse(left.out)], [0, { instance: 'vm-cli', result: 'left' }], left.err);
  assert.equal(await plane.registered('vm-cli'), undefined);
});

test('--save-only writes an owner-only file and starts nothing; mistakes are all said at once, and never the token', async (t) => {
  const plane = await AgentPlane.start(t);
  const state = await temporaryDir(t);
  const token = await plane.token('orders');
  const saved = await runCli([
    'vm',
    'join',
    token,
    '--address',
    '10.0.0.7',
    '--state-dir',
    state,
    '--reserved-ports',
    '80,443',
    ...['--engine-threads', '2', '--max-connections', '20000', '--max-connections-per-source', '15000'],
    '--save-only',
  ]);
  assert.deepEqual([saved.code, saved.out], [0, `Saved in ${state}. Next: isthmus agent --state-dir ${state}\n`], saved.err);
  const path = join(state, 'agent.json');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const kept = JSON.parse(await readFile(path, 'utf8'));
  assert.deepEqual([kept.token, kept.inbound, kept.outbound.reservedPorts], [token, { address: '10.0.0.7', port: 15_006 }, [80, 443]]);
  assert.deepEqual([kept.engineThreads, kept.maxConnections, kept.maxConnectionsPerSource], [2, 20_000, 15_000]);
  const other = await runCli(['agent', '--state-dir', state, '--proxy', 'envoy']);
  assert.deepEqual([other.code, other.err.includes('maxConnections: needs proxy isthmus')], [2, true], other.err);
  const wrong = await runCli([
    'vm',
    'join',
    token,
    '--address',
    'vm.example',
    '--network',
    'Not A Label',
    '--inbound',
    'x:0',
    '--state-dir',
    state,
  ]);
  assert.equal(wrong.code, 2);
  for (const path of ['address', 'network', 'inbound.address']) assert.match(wrong.err, new RegExp(`^  ${path}: `, 'm'));
  assert.equal(wrong.err.includes(token), false);
  const cut = await runCli(['vm', 'join', token.slice(0, -9), '--address', '10.0.0.7', '--state-dir', state]);
  assert.deepEqual([cut.code, /token/.test(cut.err), cut.err.includes(token.slice(30, 60))], [2, true, false], cut.err);
  for (const [flag, value] of [
    ['--health', 'ping'],
    ['--outbound', 'payments'],
    ['--reserved-ports', '80,x'],
    ['--label', 'x'],
    ['--admin', '15021'],
  ] as const)
    assert.equal((await runCli(['vm', 'join', token, '--address', '10.0.0.7', flag, value])).code, 2, flag);
});

test('a token that is used up or has expired ends the command as refused, with what to do', async (t) => {
  const plane = await AgentPlane.start(t);
  const token = await plane.token('orders');
  const join = async (dir: string) =>
    runCli(['vm', 'join', token, '--address', '127.0.0.1', '--state-dir', dir, '--instance', 'vm-1', ...anyPort]);
  const first = await start(t, ['vm', 'join', token, '--address', '127.0.0.1', '--state-dir', await temporaryDir(t), ...anyPort]);
  first.child.kill('SIGTERM');
  await first.code;
  const replayed = await join(await temporaryDir(t));
  assert.equal(replayed.code, 4, replayed.err);
  assert.match(replayed.err, /isthmus: the join token was refused: .*; make a new one with isthmus vm token/);
  assert.equal(replayed.err.includes(token), false);
});
