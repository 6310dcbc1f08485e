import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { Authz } from '../../../core/xds/gen/isthmus/native/v1/native.ts';
import { until } from '../../support/until.ts';
import { Planes, put } from './planes.ts';

const authz = (...rules: { action: 1 | 2; name: string; principals?: string[] }[]) => ({
  authz: Authz.fromPartial({ name: 'shop/orders', rules }),
});

test('a byte stream that rules refuse by now is cut; what they still let in goes on, and so does it while nobody says who may call', async (t) => {
  const planes = new Planes();
  t.after(() => planes.close());
  const app = await planes.app((_request, response) => response.end('ok'));
  const end = await planes.end(app.port, 'tcp');
  const [web, till] = await Promise.all(
    ['web', 'till'].map(async (name) => {
      const caller = await planes.caller([end.endpoint], 'tcp', planes.node('west', 'shop', name));
      const socket = connect(caller.port, '127.0.0.1');
      socket.on('error', () => {});
      t.after(() => socket.destroy());
      await says(socket);
      return socket;
    }),
  );
  assert.ok(web !== undefined && till !== undefined);
  const everybody = { action: 1, name: 'everybody' } as const;
  put(end.node.state, authz(everybody, { action: 2, name: 'no-till', principals: ['*/sa/till'] }));
  await until('it to be cut', () => till.destroyed);
  await says(web);
  const cut = await until('the log', () => end.node.log.find((e) => String(e['connection_termination_details']).includes('no-till')));
  assert.match(String(cut['connection_termination_details']), /^rbac-denied: .*sa\/till: rbac_access_denied_matched_policy\[no-till\]$/);

  end.node.state.apply({ typeUrl: 'type.googleapis.com/isthmus.native.v1.Authz', changed: [], removed: ['shop/orders'] });
  await says(web);
  put(end.node.state, authz());
  await until('nobody to be let in', () => web.destroyed);
});

async function says(socket: Socket): Promise<void> {
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  const [data] = (await once(socket, 'data', { signal: AbortSignal.timeout(10_000) })) as [Buffer];
  assert.match(data.toString(), /^HTTP\/1\.1 200/);
}
