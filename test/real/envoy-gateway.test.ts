import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { svidKeyPem } from '../../core/identity/index.ts';
import { serviceKey } from '../../core/model/index.ts';
import { EnvoyMesh, envoyStats, refusedUpdates, startApp, untilListening } from '../support/envoy-mesh.ts';
import { type EnvoyScene, sceneInputs } from '../support/envoy-scene.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { endpoint, service } from '../support/mesh-records.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { until } from '../support/until.ts';

const reference = { namespace: 'shop', name: 'orders', port: 80 };

/** A sidecar and a service without one behind an Envoy gateway of east-net, and a caller on another network. */
async function setUp(t: TestContext) {
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const [meshed, plain] = [await startApp(t, 'meshed'), await startApp(t, 'plain')];
  const [inbound, gatewayPort, outbound, originate] = [await deadPort(), await deadPort(), await deadPort(), await deadPort()];
  const scene: EnvoyScene = {
    services: [
      service('shop/orders', [
        endpoint('one', { address: '127.0.0.1', ports: { http: inbound } }),
        endpoint('two', { address: '127.0.0.1', ports: { http: plain.port }, tlsMode: 'none' }),
      ]),
    ],
    gateways: { 'east-net': gatewayPort },
    gatewayPorts: [{ service: serviceKey('shop', 'orders'), port: 80, gatewayPort: originate }],
    originateCidrs: ['127.0.0.1/32'],
  };
  mesh.update(sceneInputs(pki, scene));
  const sidecar = await mesh.envoy('orders', {
    claims: {
      inbound: {
        address: '127.0.0.1',
        port: inbound,
        services: [{ ...reference, protocol: 'http', address: '127.0.0.1', target: meshed.port }],
      },
    },
  });
  const gateway = await mesh.envoy('gateway', {
    kind: 'gateway',
    namespace: 'isthmus-system',
    claims: { inbound: { address: '127.0.0.1', port: gatewayPort, services: [] } },
  });
  const client = await mesh.envoy('web', {
    network: 'other-net',
    claims: { outbound: [{ ...reference, address: '127.0.0.1', listen: outbound }] },
  });
  await untilListening(sidecar, ['inbound']);
  await untilListening(gateway, ['east-west', `originate|${originate}`]);
  await untilListening(client, [`outbound|127.0.0.1|${outbound}`]);
  return { pki, mesh, scene, sidecar, gateway, client, gatewayPort, outbound, originate };
}

async function call(port: number): Promise<string> {
  const reply = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
  return reply.ok ? ((await reply.json()) as { app: string }).app : `${reply.status} ${await reply.text()}`;
}

/** Who answers, until both have. */
async function bothAnswer(port: number): Promise<void> {
  const seen = new Set<string>();
  await until(`both behind port ${port}`, async () => {
    seen.add(await call(port));
    if (seen.has('meshed') && seen.has('plain')) return true;
    throw new Error([...seen].join());
  });
}

test('an Envoy gateway passes through to sidecars, ends mTLS for who has none, and calls for those without one', {
  timeout: 120_000,
}, async (t) => {
  const { mesh, pki, scene, sidecar, gateway, client, gatewayPort, outbound, originate } = await setUp(t);
  // One gateway address, two ends of mTLS behind it.
  await bothAnswer(outbound);
  await bothAnswer(originate);

  const dialled = async () => {
    const stats = await envoyStats(gateway, '^cluster\\.(outbound|local)\\|.*upstream_cx_total$');
    return [...stats.values()].reduce((sum, n) => sum + n, 0);
  };
  const before = await dialled();
  assert.ok(before > 0);
  // Names that are no route lead nowhere, though the gateway has xDS clusters of these names.
  for (const servername of [
    'outbound|80||orders.shop.mesh.internal',
    'local|80|gateway|orders.shop.mesh.internal',
    'isthmus-control',
    'x.test',
  ]) {
    assert.equal(await closedOnHello(gatewayPort, servername, pki), 'closed', servername);
  }
  assert.equal(await closedOnHello(gatewayPort, 'outbound_.80_._.unknown.shop.mesh.internal', pki), 'closed');

  assert.equal(await dialled(), before);

  mesh.update(sceneInputs(pki, { ...scene, originateCidrs: [] }));
  await until('nobody may call through the gateway', async () => {
    try {
      return (await call(originate)) === '';
    } catch {
      return true;
    }
  });
  for (const envoy of [sidecar, gateway, client]) assert.equal(await refusedUpdates(envoy), 0);
});

/** What comes of a TLS handshake with a caller that the mesh knows. */
function closedOnHello(port: number, servername: string, pki: MeshPki): Promise<'closed' | 'secure'> {
  const svid = pki.svid('east', 'shop', 'web');
  return new Promise((resolve) => {
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      servername,
      cert: svid.chainPem,
      key: svidKeyPem(svid),
      rejectUnauthorized: false,
    });
    socket.once('secureConnect', () => {
      socket.destroy();
      resolve('secure');
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve('closed'));
  });
}
