import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import test from 'node:test';
import { refusedUpdates } from '../support/envoy-mesh.ts';
import { onEnd } from '../support/on-end.ts';
import { startStaticMesh } from '../support/static-envoy.ts';
import { clusterName, place, serviceResources } from '../support/traffic-scene.ts';
import { until } from '../support/until.ts';
import { Backend } from './routing-fields/backend.ts';

const [old, fresh] = [clusterName('db', 'isthmus-from'), clusterName('db', 'isthmus-to')];

test('at Envoy a step leaves the byte streams alone that are open, and new ones go by its weight', { timeout: 120_000 }, async (t) => {
  const [from, to] = [new Backend('old'), new Backend('new')];
  for (const backend of [from, to]) {
    onEnd(t, () => backend.close());
    backend.behave({ hold: true });
  }
  const [before, after] = [await from.listen('bytes'), await to.listen('bytes')];
  const { set, sidecar, mesh } = await startStaticMesh(t, { drainSeconds: 1 });
  const step = async (perMille: number) => {
    const parts = [
      { destination: { cluster: fresh }, weight: perMille },
      { destination: { cluster: old }, weight: 1_000 - perMille },
    ].filter(({ weight }) => weight > 0);
    const l4 = [{ name: 'default', matches: [], destinations: parts, byHash: true as const }];
    const subsets = {
      '': { endpoints: [place(before)] },
      'isthmus-from': { endpoints: [place(before)] },
      'isthmus-to': { endpoints: [place(after)] },
    };
    set({ 'shop/db': serviceResources('db', { protocol: 'tcp', routing: { virtualHosts: [], l4 }, subsets }) });
  };
  const open = (port: number): Promise<{ socket: Socket; by: string }> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('hello'));
      onEnd(t, () => socket.destroy());
      socket.once('data', (bytes: Buffer) => resolve({ socket, by: bytes.toString() }));
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed')));
    });
  await step(0);
  const { envoy, ports } = await sidecar({ db: 80 });
  const port = ports['db'] ?? 0;
  const first = await until('the database', async () => (await open(port)).socket);
  let closed = false;
  first.once('close', () => {
    closed = true;
  });
  let streams = 0;
  for (const perMille of [50, 250, 500, 1_000]) {
    await step(perMille);
    await until('the step', () => mesh.xds.clients().every(({ current }) => current));
    const found: string[] = [];
    for (let i = 0; i < 200; i++) {
      const { socket, by } = await open(port);
      found.push(by);
      socket.destroy();
    }
    streams += found.length;
    const share = found.filter((by) => by === 'new').length;
    const bound = 4 * Math.sqrt((200 * perMille * (1_000 - perMille)) / 1e6);
    assert.ok(Math.abs(share - perMille / 5) <= bound, `${share} of 200 at ${perMille}`);
  }
  // Longer than Envoy lets drained filter chains be; what it drains is closed then, and this is not.
  await until('chains to be drained', async () => {
    const text = await (await fetch(`${envoy.adminUrl}/stats?filter=total_filter_chains_draining`)).text();
    return /: 0$/m.test(text);
  });
  assert.ok(streams > 0 && !closed);
  assert.equal(await refusedUpdates(envoy), 0);
});
