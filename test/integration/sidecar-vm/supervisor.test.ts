import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { decode, encode } from 'dns-packet';
import { native } from '../../../core/xds/index.ts';
import { prepareJoin } from '../../../sidecar-vm/main.ts';
import { AgentPlane, agentOptions, host } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { repositoryRoot } from '../../support/repository-root.ts';
import { until } from '../../support/until.ts';

const built = pathToFileURL(join(repositoryRoot, 'build/cli/main.js')).href;

interface Started {
  readonly child: ChildProcess;
  readonly stateDir: string;
  /** What its workers said they serve, in order. */
  readonly ready: { readonly ports: { readonly inbound: number; readonly dns: number; readonly admin: number } }[];
  readonly log: string[];
  /** Process id of the worker that serves. */
  worker(): number;
  call(): Promise<string>;
  /** A connection through the mesh to an app that says each line back. */
  stream(): Promise<{ say(line: string): Promise<string>; readonly socket: Socket }>;
  install(program: string): Promise<void>;
}

/** A supervised agent that serves an app of byte streams and calls it, as a process of its own. */
async function supervisedAgent(t: TestContext): Promise<Started> {
  const plane = await AgentPlane.start(t);
  const app = createServer((socket) => socket.on('error', () => socket.destroy()).pipe(socket));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  onEnd(t, async () => void app.close());
  const { port: appPort } = app.address() as { port: number };
  const [inbound, local, dns, admin] = [await deadPort(), await deadPort(), await deadPort(), await deadPort()];
  const stateDir = await temporaryDir(t);
  const at = (port: number) => ({ address: '127.0.0.1', port });
  const probe = { probe: { kind: 'tcp' as const }, intervalMs: 50, timeoutMs: 500 };
  await prepareJoin(
    agentOptions({
      stateDir,
      token: await plane.token('orders'),
      services: [{ namespace: 'shop', name: 'orders', port: 8080, protocol: 'tcp', appPort, health: probe }],
      inbound: at(inbound),
      dns: at(dns),
      admin: at(admin),
      outbound: { loopbackAddresses: false, explicit: { [`${host('orders')}:8080`]: local } },
      drainMs: 20_000,
    }),
  );
  plane.serve([{ name: 'orders', port: 8080, protocol: native.Protocol.TCP, endpoints: [inbound] }]);

  // What an upgrade replaces.
  const program = join(await temporaryDir(t), 'main.mjs');
  const install = (text: string) => writeFile(program, text);
  await install(`await import(${JSON.stringify(built)});\n`);
  const child = spawn(process.execPath, [program, 'agent', '--supervise', '--state-dir', stateDir], { stdio: ['ignore', 'pipe', 'pipe'] });
  onEnd(t, async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  const ready: Started['ready'] = [];
  const log: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('{"ready":true')) ready.push(JSON.parse(line) as Started['ready'][number]);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => void log.push(...text.split('\n').filter(Boolean)));
  const stream: Started['stream'] = async () => {
    const socket = connect(local, '127.0.0.1');
    await once(socket, 'connect');
    return { socket, say: (line) => echoed(socket, line) };
  };
  const call = async () => {
    const { socket, say } = await stream();
    try {
      return await say('hello');
    } finally {
      socket.destroy();
    }
  };
  await until('the first worker', () => ready.length === 1);
  await until('an answer', call);
  await until('the mesh on disk', async () => /LoadAssignment/.test(await readFile(join(stateDir, 'xds-state'), 'utf8').catch(() => '')));
  return { child, stateDir, ready, log, worker: () => servingPid(log), call, stream, install };
}

function echoed(socket: Socket, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const take = (chunk: Buffer) => {
      seen += chunk.toString();
      if (seen.length >= line.length) settle(() => resolve(seen));
    };
    const failed = () => settle(() => reject(new Error(`the stream ended after ${JSON.stringify(seen)}`)));
    const settle = (then: () => void) => {
      socket.off('data', take).off('error', failed).off('close', failed).off('end', failed);
      then();
    };
    socket.on('data', take).on('error', failed).on('close', failed).on('end', failed);
    socket.write(line);
  });
}

/** Asks once. Not by a Resolver: c-ares waits a few times as long as the last answers took, whatever its `timeout`, and then gives up. */
async function lookedUp(name: string, port: number): Promise<string> {
  const socket = createSocket('udp4');
  try {
    socket.send(encode({ type: 'query', id: 1, questions: [{ type: 'A', name }] }), port, '127.0.0.1');
    const [packet] = (await once(socket, 'message', { signal: AbortSignal.timeout(10_000) })) as [Buffer];
    const [answer] = decode(packet).answers ?? [];
    if (answer?.type !== 'A') throw new Error(`${name} is not resolved`);
    return answer.data;
  } finally {
    socket.close();
  }
}

function servingPid(log: readonly string[]): number {
  const line = log.findLast((each) => each.includes('the worker serves')) ?? '{}';
  return (JSON.parse(line) as { pid: number }).pid;
}

/** New connections one after the other until `stop`; what went wrong with any of them. */
function keepCalling(call: () => Promise<string>) {
  const failures: string[] = [];
  let calls = 0;
  let on = true;
  const done = (async () => {
    while (on) {
      calls += 1;
      await call().catch((error: Error) => failures.push(error.message));
    }
  })();
  return {
    calls: () => calls,
    stop: async () => {
      on = false;
      await done;
      return failures;
    },
  };
}

test('a new version takes over: no connection is refused or cut, and names resolve all the time', async (t) => {
  const { child, ready, worker, call, stream, log } = await supervisedAgent(t);
  const before = worker();
  const open = await stream();
  assert.equal(await open.say('before'), 'before');
  const load = keepCalling(call);
  const lookups = keepCalling(() => lookedUp(host('orders'), ready[0]?.ports.dns ?? 0));
  await until('some calls', () => load.calls() > 20 && lookups.calls() > 20);
  child.kill('SIGHUP');
  await until('the second worker', () => ready.length === 2 && worker() !== before);
  const seen = load.calls();
  await until('calls through it', () => load.calls() > seen + 20);
  assert.deepEqual([await load.stop(), await lookups.stop()], [[], []], log.join('\n'));
  assert.deepEqual(ready[1]?.ports, ready[0]?.ports);
  assert.equal(await open.say('and after'), 'and after');
  process.kill(before, 0); // It ends with the last connection that it has, and not before.
  open.socket.destroy();
  await until('the end of the first worker', () => gone(before));
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('a worker that is killed is replaced; who connects meanwhile waits', async (t) => {
  const { ready, worker, call } = await supervisedAgent(t);
  const before = worker();
  process.kill(before, 'SIGKILL');
  await until('its end', () => gone(before));
  assert.equal(await call(), 'hello');
  await until('the second worker', () => ready.length === 2);
});

test('a version that cannot start does not take over', async (t) => {
  const { child, ready, worker, call, install, log } = await supervisedAgent(t);
  const before = worker();
  await install(`throw new Error('half an upgrade');\n`);
  child.kill('SIGHUP');
  await until('its end', () => log.some((line) => line.includes('the new worker did not come up')));
  assert.equal(await call(), 'hello');
  assert.deepEqual([ready.length, worker()], [1, before]);
  await install(`await import(${JSON.stringify(built)});\n`);
  child.kill('SIGHUP');
  await until('the one after', () => ready.length === 2 && worker() !== before);
  assert.equal(await call(), 'hello');
});

test('a supervisor that is killed leaves no worker behind', async (t) => {
  const { child, worker } = await supervisedAgent(t);
  const pid = worker();
  child.kill('SIGKILL');
  await until('the end of its worker', () => gone(pid));
});

function gone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

test('a worker that cannot serve ends, and its supervisor with it, so that whoever runs it hears of it', async (t) => {
  const { stateDir, log } = await supervisedAgent(t);
  await until('the first to serve', () => log.some((line) => line.includes('the worker serves')));
  const second = spawn(process.execPath, [fileURLToPath(built), 'agent', '--supervise', '--state-dir', stateDir], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onEnd(t, () => second.kill('SIGKILL'));
  let said = '';
  second.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = await once(second, 'exit', { signal: AbortSignal.timeout(20_000) });
  assert.equal(code, 1);
  assert.match(said, /runs on .* already/);
});
