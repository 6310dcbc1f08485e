import assert from 'node:assert/strict';
import test from 'node:test';
import { connect as connectTls } from 'node:tls';
import { certificatesToPem, keyToPem } from '../../core/pki/index.ts';
import { EnvoyMesh, refusedUpdates, untilListening } from '../support/envoy-mesh.ts';
import { sceneInputs } from '../support/envoy-scene.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { endpoint, service } from '../support/mesh-records.ts';
import { deadPort, readAll, TestSockets } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';

const sni = 'outbound_.5432_._.db.shop.mesh.internal';
const reference = { namespace: 'shop', name: 'db', port: 5432 };

test('a server that speaks first is heard by those who may call it, and not even dialled for anybody else', {
  timeout: 120_000,
}, async (t) => {
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const sockets = new TestSockets();
  onEnd(t, () => sockets.close());
  let dialled = 0;
  const app = await sockets.serve((socket) => {
    dialled += 1;
    socket.write('hello ');
    socket.on('data', (bytes) => socket.write(bytes));
    socket.on('end', () => socket.end('.'));
    socket.on('error', () => {});
  });
  const [inbound, outbound] = [await deadPort(), await deadPort()];
  const db = service('shop/db', [endpoint('one', { address: '127.0.0.1', ports: { sql: inbound }, serviceAccount: 'db' })], {
    ports: [{ name: 'sql', port: 5432, protocol: 'tcp' }],
  });
  mesh.update(sceneInputs(pki, { services: [db] }));
  const server = await mesh.envoy('db', {
    claims: {
      inbound: {
        address: '127.0.0.1',
        port: inbound,
        services: [{ ...reference, protocol: 'tcp', address: '127.0.0.1', target: app.port }],
      },
    },
  });
  const client = await mesh.envoy('web', { claims: { outbound: [{ ...reference, address: '127.0.0.1', listen: outbound }] } });
  await untilListening(server, ['inbound']);
  await untilListening(client, [`outbound|127.0.0.1|${outbound}`]);

  const talk = async () => {
    const socket = await sockets.connect(outbound);
    const all = readAll(socket);
    await new Promise<void>((resolve) => socket.once('data', () => resolve()));
    socket.end('there');
    return (await all).toString();
  };
  assert.equal(await until('a greeting, an echo and a half-closed end', talk), 'hello there.');

  const before = dialled;
  const strangers = [
    pki.forged('west', { uris: ['spiffe://mesh.test/ns/shop/sa/web'], dns: ['west.cluster.mesh.test'] }),
    pki.forged('west', { uris: ['spiffe://mesh.test/ns/shop/sa/web'], dns: [] }),
    pki.forged('west', { uris: ['spiffe://mesh.test/ns/shop/sa/web', 'east.cluster.mesh.test'], dns: [] }),
    pki.forged('east', { uris: [], dns: ['east.cluster.mesh.test'] }),
  ];
  for (const [i, { chain, key }] of strangers.entries()) {
    const heard = await new Promise<string>((resolve) => {
      let text = '';
      const tls = { cert: certificatesToPem(chain), key: keyToPem(key), rejectUnauthorized: false };
      const socket = sockets.track(connectTls({ ...tls, port: inbound, host: '127.0.0.1', servername: sni }));
      socket.on('data', (bytes: Buffer) => {
        text += bytes.toString();
      });
      socket.once('close', () => resolve(text));
    });
    assert.equal(heard, '', `stranger ${i}`);
  }
  assert.equal(dialled, before);
  assert.equal(await refusedUpdates(server), 0);
});
