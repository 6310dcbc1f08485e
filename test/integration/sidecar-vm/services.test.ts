import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { native } from '../../../core/xds/index.ts';
import { loadAgentOptions, prepareJoin } from '../../../sidecar-vm/main.ts';
import { AgentPlane, agentOptions, host } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { runCli } from '../../support/run-cli.ts';
import { until } from '../../support/until.ts';

const main = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));

/** A machine that serves `orders` to itself, and may serve `ledger`, as systemd runs it. */
async function machine(t: TestContext) {
  const plane = await AgentPlane.start(t);
  const app = createServer((socket) => socket.on('error', () => socket.destroy()).pipe(socket));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  onEnd(t, async () => void app.close());
  const { port: appPort } = app.address() as { port: number };
  const [inbound, local, admin] = [await deadPort(), await deadPort(), await deadPort()];
  const stateDir = await temporaryDir(t);
  const at = (port: number) => ({ address: '127.0.0.1', port });
  const claims = ['orders', 'ledger'].map((name) => ({ namespace: 'shop', name, ports: [] }));
  await prepareJoin(
    agentOptions({
      stateDir,
      token: await plane.plane.token({ serviceAccount: 'orders', services: claims }),
      services: [{ namespace: 'shop', name: 'orders', port: 8080, protocol: 'tcp', appPort }],
      inbound: at(inbound),
      dns: at(await deadPort()),
      admin: at(admin),
      outbound: { loopbackAddresses: false, explicit: { [`${host('orders')}:8080`]: local } },
      drainMs: 60_000,
    }),
  );
  plane.serve([{ name: 'orders', port: 8080, protocol: native.Protocol.TCP, endpoints: [inbound] }]);
  const start = () => {
    const child = spawn(process.execPath, [main, 'agent', '--supervise', '--state-dir', stateDir], { stdio: 'ignore' });
    onEnd(t, async () => {
      if (child.exitCode !== null) return;
      // Its workers with it, also those that were taken over from: streams have ended by now.
      child.kill('SIGTERM');
      await once(child, 'exit');
    });
  };
  const served = async () => (await plane.registered('vm-1'))?.services.map(({ name, port }) => `${name}:${port}`).sort();
  const service = async (...args: string[]) => runCli(['vm', 'service', ...args, '--state-dir', stateDir]);
  const saved = async () => {
    const options = await loadAgentOptions(stateDir);
    return options.ok ? options.value.services.map(({ name, port }) => `${name}:${port}`) : options.violations;
  };
  return { plane, start, local, appPort, served, saved, service };
}

/** A connection through the mesh that stays open; each line comes back. */
async function stream(t: TestContext, port: number) {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  onEnd(t, () => void socket.destroy());
  await once(socket, 'connect');
  return async (line: string) => {
    socket.write(line);
    const [answer] = await once(socket, 'data', { signal: AbortSignal.timeout(5_000) });
    return answer as string;
  };
}

test('services come and go on a running agent: no connection is lost, and what the token does not cover is refused and undone', {
  timeout: 180_000,
}, async (t) => {
  const { plane, start, local, appPort, served, saved, service } = await machine(t);
  const early = await service('add', `shop/orders:8081:${appPort}:tcp`);
  assert.deepEqual([early.code, early.out], [0, 'Saved shop/orders:8081. Next: isthmus agent\n'], early.err);
  start();
  await until('a registration', async () => ((await served()) ?? []).length === 2);
  const say = await until('a stream', async () => {
    const open = await stream(t, local);
    return (await open('first')) === 'first' ? open : undefined;
  });

  const added = await service('add', `shop/ledger:9000:${appPort}:tcp`, '-o', 'json');
  assert.deepEqual([added.code, JSON.parse(added.out)], [0, { added: ['shop/ledger:9000'], result: 'serves', next: '' }], added.err);
  assert.deepEqual(await served(), ['ledger:9000', 'orders:8080', 'orders:8081']);
  assert.equal(await say('second'), 'second');

  const refused = await service('add', `shop/billing:7000:${appPort}:tcp`);
  assert.equal(refused.code, 4, refused.err);
  assert.match(refused.err, /refused, and nothing was changed: .*may not register shop\/billing port 7000/);
  assert.match(refused.err, /make a token for all that this machine is to serve/);
  assert.deepEqual(await saved(), ['orders:8080', 'orders:8081', 'ledger:9000']);
  await until('the services before', async () => (await served())?.join() === 'ledger:9000,orders:8080,orders:8081');
  assert.equal(await say('third'), 'third');

  const list = await service('list');
  assert.match(list.out, /^SERVICE +PORT +PROTOCOL +APP +HEALTH\nshop\/orders +8080 +tcp +127\.0\.0\.1:\d+ +tcp\n/);

  const removed = await service('remove', 'shop/ledger', 'shop/orders:8081');
  assert.deepEqual([removed.code, removed.out], [0, 'Serves no more shop/ledger, shop/orders:8081.\n'], removed.err);
  assert.deepEqual(await served(), ['orders:8080']);
  assert.equal(await say('fourth'), 'fourth');
  assert.match((await service('remove', 'shop/ledger')).err, /does not serve shop\/ledger; it serves shop\/orders:8080/);

  await plane.stop();
  const alone = await service('add', `shop/ledger:9000:${appPort}:tcp`);
  assert.equal(alone.code, 3, alone.err);
  assert.match(alone.err, /no control plane could be asked, so nothing was changed/);
  assert.deepEqual(await saved(), ['orders:8080']);
  assert.equal(await say('fifth'), 'fifth');
});
