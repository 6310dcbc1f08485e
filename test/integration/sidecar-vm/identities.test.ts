import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startEchoApp } from '../../../cli/demo/echo-app.ts';
import { saveAgentOptions } from '../../../sidecar-vm/files.ts';
import { prepareJoin } from '../../../sidecar-vm/main.ts';
import { AgentPlane, agentOptions, host, runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { cannotBeOthers, runAs } from '../../support/other-user.ts';
import { runCli } from '../../support/run-cli.ts';
import { until } from '../../support/until.ts';

/** What a program of that user hears from a port of 127.0.0.1, `times` times one after another and side by side. */
async function callAs(t: TestContext, uid: number, port: number, times: number): Promise<string[]> {
  const script = `
const http = require('http');
const agent = new http.Agent({ keepAlive: true });
const call = () => new Promise((resolve) => {
  const request = http.get({ port: ${port}, host: '127.0.0.1', agent }, (response) => {
    let text = '';
    response.on('data', (piece) => { text += piece; });
    response.on('end', () => resolve(response.statusCode === 200 ? JSON.parse(text).principal : String(response.statusCode)));
  });
  request.on('error', (error) => resolve(error.code));
});
const chain = async () => { const all = []; for (let n = 0; n < ${times}; n++) all.push(await call()); return all; };
Promise.all([chain(), chain(), chain()]).then((all) => { console.log(JSON.stringify(all.flat())); process.exit(0); });
`;
  const { child, kill } = runAs({ uid, gid: uid }, script);
  onEnd(t, kill);
  let text = '';
  child.stdout?.on('data', (piece: Buffer) => {
    text += piece.toString();
  });
  await once(child, 'close');
  return JSON.parse(text) as string[];
}

async function echo(t: TestContext, name: string) {
  const app = await startEchoApp(name);
  onEnd(t, () => app.close());
  return app;
}

test('each service is served as the identity whose it is, each user calls as theirs, and nobody else calls', {
  skip: cannotBeOthers,
}, async (t) => {
  const plane = await AgentPlane.start(t);
  const { trustDomain } = plane.plane.authority;
  const [orders, billing] = [await echo(t, 'orders'), await echo(t, 'billing')];
  const server = await runTestAgent(
    t,
    agentOptions({
      stateDir: await temporaryDir(t),
      token: await plane.token('orders'),
      instance: 'vm-server',
      services: [{ namespace: 'shop', name: 'orders', port: 8080, appPort: orders.port }],
      identities: [
        {
          name: 'billing',
          token: await plane.token('billing'),
          selectors: { uid: [61_009] },
          services: [{ namespace: 'shop', name: 'billing', port: 8081, appPort: billing.port }],
        },
      ],
    }),
  );
  const endpoints = [server.agent.inbound.port];
  const of = (account: string) => `${trustDomain}/ns/shop/sa/${account}`;
  plane.serve([
    { name: 'orders', port: 8080, endpoints },
    { name: 'billing', port: 8081, endpoints, principals: [of('batch')] },
  ]);
  const [toOrders, toBilling] = [await deadPort(), await deadPort()];
  const stateDir = await temporaryDir(t);
  const caller = await runTestAgent(
    t,
    agentOptions({
      stateDir,
      token: await plane.token('web'),
      instance: 'vm-caller',
      outbound: { loopbackAddresses: false, explicit: { [`${host('orders')}:8080`]: toOrders, [`${host('billing')}:8081`]: toBilling } },
      identities: [
        { name: 'default', selectors: { uid: [61_001] } },
        { name: 'batch', token: await plane.token('batch'), selectors: { uid: [61_002] } },
        { name: 'exact', token: await plane.token('exact'), selectors: { uid: [61_003], path: ['/usr/bin/exact'] } },
      ],
    }),
  );
  await until('an answer', async () => (await callAs(t, 61_001, toOrders, 1))[0] === `spiffe://${of('web')}`);
  const [web, batch, refused, exact, nobody] = await Promise.all([
    callAs(t, 61_001, toOrders, 15),
    callAs(t, 61_002, toOrders, 15),
    callAs(t, 61_001, toBilling, 3),
    callAs(t, 61_003, toOrders, 3),
    callAs(t, 0, toOrders, 3),
  ]);
  assert.deepEqual(new Set(web), new Set([`spiffe://${of('web')}`]));
  assert.deepEqual(new Set(batch), new Set([`spiffe://${of('batch')}`]));
  // The pools of one identity are not the other's: what one may, the other may not, over the same endpoint.
  assert.deepEqual(new Set(refused), new Set(['403']));
  assert.deepEqual(new Set(await callAs(t, 61_002, toBilling, 3)), new Set([`spiffe://${of('batch')}`]));
  for (const answers of [exact, nobody]) assert.deepEqual(new Set(answers), new Set(['ECONNRESET']));
  const { body } = await caller.get('/metrics');
  assert.match(body, /isthmus_outbound_refused_total\{reason="unmapped"\} (1[0-9]|[6-9])/);
  assert.ok(caller.lines.some((line) => line.includes('outbound connection refused') && line.includes('61003')));
  const status = caller.agent.status();
  assert.deepEqual(
    status.identities.map(({ name, spiffeId, selectors }) => [name, spiffeId, selectors]),
    [
      ['batch', `spiffe://${of('batch')}`, 'uid 61002'],
      ['exact', `spiffe://${of('exact')}`, 'uid 61003 path /usr/bin/exact'],
    ],
  );
  assert.deepEqual((await readdir(join(stateDir, 'identities'))).sort(), ['batch', 'exact']);
  // Each identity is registered for itself, with its own services.
  const registered = async () =>
    (await plane.plane.instances.list()).flatMap(({ record }) =>
      record.role === 'workload' && record.instance === 'vm-server'
        ? [`${record.serviceAccount} ${record.services.map(({ name }) => name).join()}`]
        : [],
    );
  await until('both', async () => (await registered()).length === 2);
  assert.deepEqual((await registered()).sort(), ['billing billing', 'orders orders']);
  await server.agent.leave();
  assert.deepEqual(await registered(), []);
  const left = (await plane.plane.ledger.grants()).filter((grant) => grant.left === true);
  assert.deepEqual(left.map(({ claims }) => claims.serviceAccount).sort(), ['billing', 'orders']);
  await prepareJoin(server.options);
  for (const dir of ['identity', 'identities/billing']) {
    const kept = JSON.parse(await readFile(join(server.options.stateDir, dir, 'svid.json'), 'utf8')) as { readonly givenUp?: boolean };
    assert.deepEqual([kept.givenUp, (await readdir(join(server.options.stateDir, dir))).includes('attest-key.pem')], [true, true], dir);
  }
});

test('identities are added, listed and removed by the command line, and what is wrong is refused whole', async (t) => {
  const plane = await AgentPlane.start(t);
  const stateDir = await temporaryDir(t);
  await saveAgentOptions({ ...agentOptions({ stateDir, token: await plane.token('web') }), capture: undefined, workloadApi: undefined });
  const at = ['--state-dir', stateDir];
  const run = (...args: string[]) => runCli(['vm', 'identity', ...args, ...at]);
  const token = await plane.token('billing');
  assert.equal((await run('add', 'billing', token, '--uid', '1001', '--service', 'shop/billing:80=8080')).code, 0);
  const listed = await run('list', '-o', 'json');
  assert.deepEqual(JSON.parse(listed.out), {
    identities: [{ name: 'billing', selectors: { uid: [1001], gid: [], path: [], sha256: [] }, services: ['shop/billing:80'] }],
  });
  assert.ok(!listed.out.includes(token));
  const wrong = [
    ['add', 'other', token, '--uid', '1001'],
    ['add', 'other', '--uid', '1002'],
    ['add', 'other', token, '--path', '/usr/bin/x'],
    ['add', 'default', token, '--uid', '1002'],
    ['add', 'Other_1', token, '--uid', '1002'],
    ['add', 'other', token, '--uid', '1002', '--service', 'shop/billing:80'],
    ['add', 'other', token, '--uid', '1002', '--sha256', 'xyz'],
  ];
  for (const args of wrong) assert.equal((await run(...args)).code, 2, args.join(' '));
  assert.equal((await run('list', '-o', 'json')).out, listed.out);
  assert.equal((await run('remove', 'billing')).code, 0);
  assert.equal((await run('remove', 'billing')).code, 1);
  assert.deepEqual(JSON.parse((await run('list', '-o', 'json')).out), { identities: [] });
});
