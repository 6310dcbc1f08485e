import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import type { MtlsStatus, Status } from '../../../core/admin/index.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { GuardedMesh } from './guarded-mesh.ts';

const authentication = (mode: string) =>
  `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: orders, namespace: shop}\nspec: {mtls: {mode: ${mode}}}\n`;

const request = ['GET / HTTP/1.1\r\n', 'host: orders\r\n\r\n'] as const;

/** However it ends. */
const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()));

/** A stream on which one question was answered; undefined: nobody answers. */
async function converse(port: number): Promise<Socket | undefined> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  for (const part of request) socket.write(part);
  const said = await Promise.race([once(socket, 'data'), closed(socket)]).catch(() => undefined);
  return said === undefined ? undefined : socket;
}

for (const engine of ['native', 'node'] as const) {
  test(`${engine}: byte streams at a service's own port are counted while they stand, and those in the clear end with STRICT`, {
    timeout: 120_000,
  }, async (t) => {
    const mesh = await GuardedMesh.start(t);
    const status = async () => (JSON.parse(await mesh.cli('mtls', 'status', 'shop/orders', '--output', 'json')) as MtlsStatus).ports[0];
    const door = await deadPort();
    await mesh.configure('both.yaml', authentication('PERMISSIVE'));
    const orders = await mesh.vm('orders', 8080, { app: 'orders' }, undefined, { expose: door, protocol: 'tcp', engine });
    assert.equal(orders.agent.status().engine?.name, engine);
    const said = await until('the control plane to be told', async () => {
      const { clients } = JSON.parse(await mesh.cli('status', '--output', 'json')) as Pick<Status, 'clients'>;
      return clients.find(({ instance }) => instance === 'vm-orders');
    });
    assert.equal(said.engine, engine);
    const web = await mesh.vm('web', 8081, {}, undefined, { engine });
    const open = async (port: number) => {
      const socket = await until('an answer', () => converse(port));
      onEnd(t, () => void socket.destroy());
      // Half a question, as the app does not wait long for one.
      socket.write(request[0]);
      return socket;
    };
    const secure = await open(web.local);
    const clear = [await open(door), await open(door)];
    const told = await until('the report', async () => {
      const now = await status();
      return (now?.plaintext.connections ?? 0) >= clear.length && (now?.mtls.connections ?? 0) > 0 ? now : undefined;
    });
    assert.deepEqual([told.mode, told.strictIsSafe, told.callers.map(({ address }) => address)], ['PERMISSIVE', 'no', ['127.0.0.1']]);

    const ends = clear.map(closed);
    await mesh.configure('both.yaml', authentication('STRICT'));
    await Promise.all(ends);
    assert.equal(await converse(door), undefined, 'nobody new in the clear');
    secure.write(request[1]);
    assert.match(String((await once(secure, 'data'))[0]), /^HTTP\/1\.1 200/);
    const refused = () => orders.access.filter((e) => String(e['connection_termination_details']).startsWith('plaintext-refused'));
    await until('the reason of each', () => refused().length > clear.length);
    await until('the refusal to be reported', async () => ((await status())?.plaintext.refused ?? 0) > 0);
  });
}
