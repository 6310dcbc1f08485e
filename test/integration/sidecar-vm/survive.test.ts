import assert from 'node:assert/strict';
import { cp, readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Registry } from 'prom-client';
import { type EchoReply, startEchoApp } from '../../../cli/demo/echo-app.ts';
import { silentLog } from '../../../core/log.ts';
import { native } from '../../../core/xds/index.ts';
import { prepareJoin, startAgent } from '../../../sidecar-vm/main.ts';
import { AgentPlane, agentOptions, host, runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort, TestSockets } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const quick = { probe: { kind: 'tcp' as const }, intervalMs: 50, timeoutMs: 500 };

/** A VM that serves `orders` and calls it through the mesh, on ports that stay the same over restarts. */
async function selfCaller(t: TestContext, more: { svidTtlMs?: number; agentTtlMs?: number; protocol?: 'http' | 'tcp' } = {}) {
  const { protocol = 'http', ...ttls } = more;
  const plane = await AgentPlane.start(t, ttls);
  const app = await startEchoApp('orders');
  onEnd(t, () => app.close());
  const [inbound, local] = [await deadPort(), await deadPort()];
  const options = agentOptions({
    stateDir: await temporaryDir(t),
    token: await plane.token('orders'),
    services: [{ namespace: 'shop', name: 'orders', port: 8080, protocol, appPort: app.port, health: quick }],
    inbound: { address: '127.0.0.1', port: inbound },
    outbound: { loopbackAddresses: false, explicit: { [`${host('orders')}:8080`]: local } },
  });
  const wire = protocol === 'tcp' ? native.Protocol.TCP : native.Protocol.HTTP;
  const mesh = [{ name: 'orders', port: 8080, protocol: wire, endpoints: [inbound] }];
  plane.serve(mesh);
  const call = async () => (await (await fetch(`http://127.0.0.1:${local}/`)).json()) as EchoReply;
  return { plane, app, options, inbound, local, call };
}

test('killed and started again without a control plane, it serves and calls from disk, and is registered when one returns', async (t) => {
  const { plane, options, call } = await selfCaller(t);
  const first = await runTestAgent(t, options);
  await until('an answer', call);
  await until('the mesh on disk', async () => /LoadAssignment/.test(await readFile(join(options.stateDir, 'xds-state'), 'utf8')));
  const { generation } = await until('a registration', () => plane.registered('vm-1'));
  await plane.stop();
  await first.agent.drain();
  const second = await runTestAgent(t, options);
  assert.equal((await call()).principal, 'spiffe://mesh.test/ns/shop/sa/orders');
  const status = second.agent.status();
  assert.equal(status.data.from, 'disk');
  assert.equal(typeof status.data.ageMs, 'number');
  assert.deepEqual(
    status.stages
      .filter((s) => !s.ok)
      .map((s) => s.stage)
      .filter((s) => s !== 'healthy'),
    ['registered'],
  );
  assert.equal((await second.get('/healthz/ready')).status, 200);
  await plane.start();
  await until('a registration of the second start', async () => {
    const record = await plane.registered('vm-1');
    return record !== undefined && record.generation > generation && record.services[0]?.healthy === true;
  });
  await until('live data', () => second.agent.status().data.from === 'control-plane');
  assert.equal((await call()).app, 'orders');
});

test('what is kept is for its owner alone; damaged files are said, and cost no more than the data', async (t) => {
  const { options, call } = await selfCaller(t);
  const first = await runTestAgent(t, options);
  await until('an answer', call);
  const file = join(options.stateDir, 'xds-state');
  await until('the mesh on disk', async () => /LoadAssignment/.test(await readFile(file, 'utf8')));
  await first.agent.drain();
  const mode = async (path: string) => (await stat(path)).mode & 0o777;
  assert.deepEqual(
    [await mode(options.stateDir), await mode(file), await mode(join(options.stateDir, 'identity', 'svid.json'))],
    [0o700, 0o600, 0o600],
  );
  await writeFile(file, (await readFile(file, 'utf8')).slice(0, -20));
  await writeFile(join(options.stateDir, 'addresses.json'), '{');
  const second = await runTestAgent(t, options);
  assert.match(second.lines.join('\n'), /kept state is refused whole.*it is damaged/);
  await until('an answer', call);
});

test('the SVID is renewed under traffic, and nothing is refused meanwhile', async (t) => {
  const { options, call } = await selfCaller(t, { svidTtlMs: 3_000 });
  const { agent } = await runTestAgent(t, options);
  await until('an answer', call);
  const before = agent.status().identity?.notAfter;
  await until('a renewal', async () => {
    assert.equal((await call()).principal, 'spiffe://mesh.test/ns/shop/sa/orders');
    return agent.status().identity?.notAfter !== before;
  });
  for (let i = 0; i < 20; i++) assert.equal((await call()).app, 'orders');
  assert.equal(agent.status().identity?.state, 'valid');
});

test('a second agent on one state directory is refused, and told which process has it; a killed one leaves no lock', async (t) => {
  const { options } = await selfCaller(t);
  const { agent } = await runTestAgent(t, options);
  const deps = { log: silentLog, accessLog: () => {}, metrics: new Registry() };
  await assert.rejects(startAgent(options, deps, new AbortController().signal), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'CONFLICT');
    return error.message.includes(`pid ${process.pid} `);
  });
  await agent.drain();
  // No process has this id and start time.
  await writeFile(join(options.stateDir, 'agent.lock'), JSON.stringify({ pid: process.pid, startTime: '1' }));
  await runTestAgent(t, options);
});

test('two starts of one instance: the newer fences the older, which ends and says so', async (t) => {
  const { plane, options } = await selfCaller(t);
  const older = await runTestAgent(t, { ...options, admin: { address: '127.0.0.1', port: await deadPort() } });
  const { generation } = await until('a registration', () => plane.registered('vm-1'));
  // The same machine restored from an image, its generation one further.
  const copy = {
    ...options,
    stateDir: await temporaryDir(t),
    inbound: { address: '127.0.0.1', port: 0 },
    outbound: { ...options.outbound, explicit: {} },
  };
  await cp(options.stateDir, copy.stateDir, { recursive: true, filter: (path) => !path.includes('agent.lock') });
  const newer = await runTestAgent(t, copy);
  await assert.rejects(older.agent.ended, { code: 'FENCED' });
  await assert.rejects(fetch(`http://127.0.0.1:${older.agent.admin.port}/healthz`));
  await until('the newer one registered', async () => ((await plane.registered('vm-1'))?.generation ?? 0) > generation);
  assert.equal(newer.agent.status().stages.find((s) => s.stage === 'registered')?.ok, true);
});

test('draining: the control plane hears of it, a running request ends well, new ones are not taken, the registration stays', async (t) => {
  const { plane, options, inbound, local } = await selfCaller(t);
  const sockets = new TestSockets();
  onEnd(t, () => sockets.close());
  const slow: Socket[] = [];
  const app = await sockets.serve((socket) => void slow.push(socket));
  const services = options.services.map((s) => ({ ...s, appPort: app.port, health: { ...s.health, intervalMs: 3_600_000 } }));
  const { agent } = await runTestAgent(t, { ...options, services, drainMs: 10_000 });
  await until('a registration', async () => (await plane.healthOf('vm-1')) === true);
  await until('the way there', () => agent.status().outbound[0]?.endpoints === 1);
  const answer = new Promise<string>((resolve, reject) => {
    request({ host: '127.0.0.1', port: local, path: '/slow', agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve(`${response.statusCode} ${body}`));
    })
      .on('error', reject)
      .end();
  });
  const socket = await until('the request at the app', () => slow.find((s) => s.bytesRead > 0));
  const drained = agent.drain();
  await until('draining at the control plane', async () => (await plane.registered('vm-1'))?.draining === true);
  assert.equal((await fetch(`http://127.0.0.1:${agent.admin.port}/healthz/ready`)).status, 503);
  await until('no new connection', () =>
    sockets.connect(inbound).then(
      (taken) => void taken.destroy(),
      () => true,
    ),
  );
  socket.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndone');
  assert.equal(await answer, '200 done');
  await drained;
  await agent.ended;
  assert.notEqual(await plane.registered('vm-1'), undefined);
});

test('leaving deregisters, and lets nobody start there until the machine joins again, which attests anew with the token that it had', async (t) => {
  const { plane, options } = await selfCaller(t);
  const { agent } = await runTestAgent(t, options);
  await until('a registration', async () => (await plane.registered('vm-1')) !== undefined);
  const issued = async () => (await plane.plane.ledger.issued(Date.now())).map(({ serial, unused }) => ({ serial, unused }));
  const [before] = await issued();
  await agent.leave();
  assert.equal(await plane.registered('vm-1'), undefined);
  assert.deepEqual(await issued(), [{ serial: before?.serial, unused: true }], 'no rotation of the root waits for it');
  await assert.rejects(runTestAgent(t, options), { code: 'CONFIG_INVALID', message: /has left the mesh/ });

  const kept = async () => JSON.parse(await readFile(join(options.stateDir, 'identity', 'svid.json'), 'utf8')) as Record<string, unknown>;
  const { rootsPem } = await kept();
  await prepareJoin(options);
  const { givenUp, rootsPem: known } = await kept();
  assert.deepEqual([givenUp, known], [true, rootsPem], 'what it knows of roots stays: the one of its token may be gone by now');
  const again = await runTestAgent(t, options);
  await until('a registration', async () => (await plane.registered('vm-1')) !== undefined);
  const after = await issued();
  assert.deepEqual([after.length, after.every(({ unused }) => !unused)], [2, true]);
  assert.equal((await kept())['givenUp'], undefined);
  await again.agent.drain();
  await prepareJoin(options);
  assert.equal((await kept())['givenUp'], undefined);
});

test('tokens that are refused end the start with their code; a taken inbound port names it; nothing stays behind', async (t) => {
  const { plane, options } = await selfCaller(t);
  const expired = await plane.token('orders', { ttlMs: 1_000 });
  const replayed = await plane.token('orders');
  const other = await runTestAgent(t, {
    ...options,
    token: replayed,
    stateDir: await temporaryDir(t),
    outbound: { ...options.outbound, explicit: {} },
  });
  await other.agent.drain();
  const fresh = async (token: string) => runTestAgent(t, { ...options, token, stateDir: await temporaryDir(t) });
  await assert.rejects(fresh(replayed), { code: 'IDENTITY_INVALID' });
  await until('the token to expire', async () => {
    try {
      await (await fresh(expired)).agent.drain();
      return false;
    } catch (error) {
      return (error as { code?: string }).code === 'IDENTITY_INVALID';
    }
  });
  const holder = new TestSockets();
  onEnd(t, () => holder.close());
  const { port } = await holder.serve(() => {});
  await assert.rejects(runTestAgent(t, { ...options, inbound: { address: '127.0.0.1', port } }), { code: 'PORT_TAKEN' });
  // The lock, the admin port and the state directory are free again.
  await runTestAgent(t, options);
});

test('an agent whose address changes registers the new one while it runs; a configured one stays', async (t) => {
  const { plane, options } = await selfCaller(t);
  const services = [{ namespace: 'shop', name: 'orders', ports: [] }];
  const token = await plane.plane.token({ serviceAccount: 'orders', services, addresses: ['127.0.0.0/8'] });
  // None that an interface has, as after a lease has ended: so the route is asked for each second.
  let address = '127.0.0.9';
  const found = { addressTowards: async () => address };
  const inbound = { address: '0.0.0.0', port: options.inbound.port };
  const moving = await runTestAgent(t, { ...options, token, address: 'auto', inbound }, found);
  const at = async () => (await plane.registered('vm-1'))?.addresses;
  await until('a healthy registration', async () => (await plane.healthOf('vm-1')) === true);
  assert.deepEqual([await at(), moving.agent.status().address], [['127.0.0.9'], '127.0.0.9']);
  const generation = (await plane.registered('vm-1'))?.generation;
  address = '127.0.0.2';
  await until('the registration to have moved', async () => (await at())?.[0] === '127.0.0.2');
  const record = await plane.registered('vm-1');
  assert.deepEqual([record?.generation, record?.services[0]?.healthy], [generation, true], 'the same start, as healthy as it was');
  assert.equal(moving.agent.status().address, '127.0.0.2');
  await until('registered', () => moving.agent.status().stages.find(({ stage }) => stage === 'registered')?.ok);
  await moving.agent.drain();
  const fixed = await runTestAgent(t, options, found);
  await until('a registration', async () => (await at())?.[0] === '127.0.0.1');
  assert.equal(fixed.agent.status().address, '127.0.0.1');
});

test('alone it serves and calls until its SVID ends, and not after that; when a control plane returns, so does it', async (t) => {
  const { plane, options, local } = await selfCaller(t, { svidTtlMs: 10_000, protocol: 'tcp' });
  const { agent, get } = await runTestAgent(t, options);
  const call = () => fetch(`http://127.0.0.1:${local}/`, { headers: { connection: 'close' } });
  await until('an answer', async () => (await call()).ok);
  await plane.stop();
  const ends = Date.parse(agent.status().identity?.notAfter ?? '');
  const answered = new Set<number>();
  // However long a call takes: one that fails may be seen to fail after the end alone.
  await until('a refusal', () => refused(async () => answered.add((await call()).status)), 40_000);
  assert.ok(Date.now() >= ends, 'not before its end');
  assert.deepEqual([...answered], [200]);
  const { stages, identity } = agent.status();
  assert.equal(identity?.state, 'expired');
  const reasonOf = (stage: string) => stages.find((each) => each.stage === stage)?.reason ?? '';
  assert.match(
    reasonOf('attested'),
    /^the SVID ended at \d{4}-.*Z, so that nobody is called or served over new connections; renewing does not/,
  );
  assert.match(reasonOf('synced'), /as the control plane said last: there is no stream to it/);
  assert.equal((await get('/healthz/ready')).status, 503);
  await plane.start();
  await until('an answer again', async () => !(await refused(call)));
  await until('readiness', async () => (await get('/healthz/ready')).status === 200);
});

async function refused(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return false;
  } catch {
    return true;
  }
}
