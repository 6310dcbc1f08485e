import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { certificatesToPem, keyToPem } from '../../core/pki/index.ts';
import { EnvoyMesh, refusedUpdates, untilListening } from '../support/envoy-mesh.ts';
import { sceneInputs } from '../support/envoy-scene.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { endpoint, service } from '../support/mesh-records.ts';
import { deadPort, readAll, TestSockets } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';

type Leaf = ReturnType<MeshPki['forged']>;

const reference = { namespace: 'shop', name: 'db', port: 5432 };
const ports = [{ name: 'sql', port: 5432, protocol: 'tcp' as const }];

/** Speaks first, echoes, and says goodbye to a half-closed end; counts who dialled. */
async function startDatabase(t: TestContext) {
  const sockets = new TestSockets();
  onEnd(t, () => sockets.close());
  const state = { dialled: 0 };
  const { port } = await sockets.serve((socket) => {
    state.dialled += 1;
    socket.write('hello ');
    socket.on('data', (bytes) => socket.write(bytes));
    socket.on('end', () => socket.end('.'));
    socket.on('error', () => {});
  });
  return { sockets, state, port };
}

async function talk(sockets: TestSockets, port: number): Promise<string> {
  const socket = await sockets.connect(port);
  const all = readAll(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('data', () => resolve());
    socket.once('close', () => reject(new Error('closed')));
  });
  socket.end('there');
  return (await all).toString();
}

function leafOf({ chainDer, key }: ReturnType<MeshPki['svid']>): Leaf {
  return { chain: chainDer.map((der) => Buffer.from(der)), key };
}

/** What each of those who may not call hears from the mTLS end on `port`. */
async function heardByStrangers(pki: MeshPki, sockets: TestSockets, port: number, servername: string, takenBack: Leaf): Promise<string[]> {
  const strangers = [
    takenBack,
    pki.forged('west', { uris: ['spiffe://mesh.test/ns/shop/sa/web'], dns: ['west.cluster.mesh.test'] }),
    pki.forged('west', { uris: ['spiffe://mesh.test/ns/shop/sa/web'], dns: [] }),
    pki.forged('west', { uris: ['spiffe://mesh.test/ns/shop/sa/web', 'east.cluster.mesh.test'], dns: [] }),
    pki.forged('east', { uris: [], dns: ['east.cluster.mesh.test'] }),
  ];
  return Promise.all(
    strangers.map(({ chain, key }) => {
      const tls = { cert: certificatesToPem(chain), key: keyToPem(key), rejectUnauthorized: false };
      const socket = sockets.track(connectTls({ ...tls, port, host: '127.0.0.1', servername }));
      let text = '';
      socket.on('data', (bytes: Buffer) => {
        text += bytes.toString();
        socket.destroy();
      });
      return new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
    }),
  );
}

test('a server that speaks first is heard by those who may call it, and not even dialled for anybody else', {
  timeout: 120_000,
}, async (t) => {
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const { sockets, state, port } = await startDatabase(t);
  const [inbound, outbound] = [await deadPort(), await deadPort()];
  const one = endpoint('one', { address: '127.0.0.1', ports: { sql: inbound }, serviceAccount: 'db' });
  const takenBack = pki.svid('east', 'shop', 'web');
  const deniedSerials = ['0abc', takenBack.serial];
  mesh.update(sceneInputs(pki, { services: [service('shop/db', [one], { ports })], deniedSerials }));
  const claim = { ...reference, protocol: 'tcp' as const, address: '127.0.0.1', target: port };
  const server = await mesh.envoy('db', { claims: { inbound: { address: '127.0.0.1', port: inbound, services: [claim] } } });
  const client = await mesh.envoy('web', { claims: { outbound: [{ ...reference, address: '127.0.0.1', listen: outbound }] } });
  await untilListening(server, ['inbound']);
  await untilListening(client, [`outbound|127.0.0.1|${outbound}`]);

  assert.equal(await until('a greeting, an echo and a half-closed end', () => talk(sockets, outbound)), 'hello there.');
  const before = state.dialled;
  const heard = await heardByStrangers(pki, sockets, inbound, 'outbound_.5432_._.db.shop.mesh.internal', leafOf(takenBack));
  assert.deepEqual(heard, ['', '', '', '', '']);
  assert.equal(state.dialled, before);
  for (const envoy of [server, client]) assert.equal(await refusedUpdates(envoy), 0);
});

test('the same at a gateway that ends mTLS for it', { timeout: 120_000 }, async (t) => {
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const { sockets, state, port } = await startDatabase(t);
  const [gatewayPort, outbound] = [await deadPort(), await deadPort()];
  const one = endpoint('one', { address: '127.0.0.1', ports: { sql: port }, tlsMode: 'none' });
  const takenBack = pki.svid('east', 'shop', 'web');
  const deniedSerials = ['0abc', takenBack.serial];
  mesh.update(sceneInputs(pki, { services: [service('shop/db', [one], { ports })], gateways: { 'east-net': gatewayPort }, deniedSerials }));
  const inbound = { address: '127.0.0.1', port: gatewayPort, services: [] };
  const gateway = await mesh.envoy('gateway', { kind: 'gateway', namespace: 'isthmus-system', claims: { inbound } });
  const outboundClaim = { ...reference, address: '127.0.0.1', listen: outbound };
  const client = await mesh.envoy('web', { network: 'other-net', claims: { outbound: [outboundClaim] } });
  await untilListening(gateway, ['east-west']);
  await untilListening(client, [`outbound|127.0.0.1|${outbound}`]);

  assert.equal(await until('a greeting, an echo and a half-closed end', () => talk(sockets, outbound)), 'hello there.');
  const before = state.dialled;
  const heard = await heardByStrangers(pki, sockets, gatewayPort, 'outbound_.5432_.gateway_.db.shop.mesh.internal', leafOf(takenBack));
  assert.deepEqual(heard, ['', '', '', '', '']);
  assert.equal(state.dialled, before);
  for (const envoy of [gateway, client]) assert.equal(await refusedUpdates(envoy), 0);
});
