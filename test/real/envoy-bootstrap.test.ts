import assert from 'node:assert/strict';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { type EchoReply, startEchoApp } from '../../cli/demo/echo-app.ts';
import { readBlocks } from '../support/docs-blocks.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { EnvoyNodes } from './envoy/mesh.ts';
import { type EnvoyBootstrap, startEnvoy } from './servers/index.ts';

/** Envoy as somebody runs it who was told `isthmus envoy bootstrap ARGS`. */
async function envoyOn(t: TestContext, mesh: EnvoyNodes, stateDir: string, ...args: string[]) {
  const bootstrap = JSON.parse(await mesh.cli('envoy', 'bootstrap', '--state-dir', stateDir, ...args)) as EnvoyBootstrap;
  const envoy = await startEnvoy({ bootstrap });
  onEnd(t, () => envoy.stop());
  return envoy;
}

/** Whom the application saw. `host`: what is asked for. */
function principalAt(port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, headers: { host }, agent: false }, (answer) => {
      answer.setEncoding('utf8');
      answer.toArray().then((parts) => {
        if (answer.statusCode === 200) resolve((JSON.parse(parts.join('')) as EchoReply).principal);
        else reject(new Error(`answered ${answer.statusCode}`));
      }, reject);
    });
    asked.once('error', reject).end();
  });
}

async function refusals(adminUrl: string): Promise<readonly string[]> {
  const text = await (await fetch(`${adminUrl}/stats?filter=update_rejected`)).text();
  return text.split('\n').filter((line) => line !== '' && !line.endsWith(': 0'));
}

test('Envoys of your own, as sidecars, ingress and gateway: what isthmus envoy bootstrap prints is all that they need', async (t) => {
  const mesh = await EnvoyNodes.start(t);
  const app = await startEchoApp('orders');
  onEnd(t, () => app.close());
  const orders = await mesh.vm('orders', { proxy: 'none', serves: { port: 8080, appPort: app.port } });
  const web = await mesh.vm('web', { proxy: 'none' });
  const abroad = await mesh.vm('abroad', { proxy: 'none', network: 'other' });
  const gateway = await mesh.gateway('gw-1', 'east', 'none');
  assert.deepEqual((await web.status()).proxy, { kind: 'none' });
  const [local, far, http] = [await deadPort(), await deadPort(), await deadPort()];
  const envoys = [
    await envoyOn(t, mesh, orders.stateDir),
    await envoyOn(t, mesh, gateway.stateDir),
    await envoyOn(t, mesh, web.stateDir, '--xds', 'sotw', '--upstream', `shop/orders:8080=127.0.0.1:${local}`),
    await envoyOn(t, mesh, web.stateDir, '--kind', 'ingress', '--instance', 'front', '--http', `127.0.0.1:${http}=shop/orders:8080`),
    await envoyOn(t, mesh, abroad.stateDir, '--upstream', `shop/orders:8080=127.0.0.1:${far}`),
  ];
  const call = (port: number, host = 'localhost') => principalAt(port, host);
  const principal = (name: string) => `spiffe://mesh.test/ns/shop/sa/${name}`;
  assert.equal(await until('an answer to a sidecar', () => call(local)), principal('web'));
  assert.equal(await until('an answer through the gateway', () => call(far)), principal('abroad'));
  assert.equal(await until('an answer through the ingress', () => call(http, 'orders.shop.mesh.internal')), principal('web'));
  await assert.rejects(call(http, 'somebody.else'), /404/);
  for (const { adminUrl } of envoys) assert.deepEqual(await refusals(adminUrl), []);
});

test('what is missing is said before anything starts', async (t) => {
  const mesh = await EnvoyNodes.start(t);
  await assert.rejects(mesh.cli('envoy', 'bootstrap', '--state-dir', '/nonexistent'), /isthmus agent --proxy none/);
  const web = await mesh.vm('web', { proxy: 'none' });
  await assert.rejects(mesh.cli('envoy', 'bootstrap', '--state-dir', web.stateDir, '--kind', 'gateway'), /of an agent/);
  await assert.rejects(mesh.cli('envoy', 'bootstrap', '--state-dir', web.stateDir, '--admin', '0.0.0.0:15000'), /loopback/);
  const both = ['--upstream', 'shop/orders:80=127.0.0.1:9001', '--upstream', 'shop/pay:80=127.0.0.1:9001'];
  await assert.rejects(
    mesh.cli('envoy', 'bootstrap', '--state-dir', web.stateDir, ...both),
    /one address for two things: 127\.0\.0\.1:9001/,
  );
  assert.match(await mesh.cli('envoy', 'bootstrap', '--state-dir', web.stateDir, '--output', 'yaml'), /^node:\n {2}id: spiffe:/);
});

test('the commands of docs/run-envoy.md, in their order', async (t) => {
  const lines = (await readBlocks('docs/run-envoy.md', 'sh')).flatMap((block) => block.trim().split('\n'));
  const [join = '', gateway = '', status, own = '', print = '', run] = lines;
  assert.deepEqual([lines.length, status, run], [6, 'isthmus vm status', 'envoy -c envoy.json']);
  const mesh = await EnvoyNodes.start(t);
  const app = await startEchoApp('orders');
  onEnd(t, () => app.close());
  const orders = await mesh.vmBy(join, ['--app-port', String(app.port)]);
  const told = await mesh.cli('vm', 'status', '--admin', new URL(orders.url).host);
  assert.match(told, /proxy envoy 1\.40\.0, pid \d+, live, .* 0 updates refused/);
  // Started as the page does it, with ports of its own: what it takes is what `mesh.gateway` gives it.
  assert.match(gateway, /^isthmus gateway --token-file \S+ --state-dir \S+ --advertise \S+ --proxy envoy$/);
  await mesh.gateway('gw-1', 'east', 'envoy');
  const web = await mesh.vmBy(own);
  const local = await deadPort();
  const [, args = ''] = /^isthmus (.*) > envoy\.json$/.exec(print.replace('127.0.0.1:9001', `127.0.0.1:${local}`)) ?? [];
  const [, , ...flags] = args.split(' ');
  await envoyOn(t, mesh, web.stateDir, ...flags);
  assert.equal(await until('an answer', () => principalAt(local, 'localhost')), 'spiffe://mesh.test/ns/shop/sa/web');
});
