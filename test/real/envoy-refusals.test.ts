import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { certificatesToPem, keyToPem } from '../../core/pki/index.ts';
import { EnvoyMesh, envoyStats, refusedUpdates, startApp, untilListening } from '../support/envoy-mesh.ts';
import { sceneInputs } from '../support/envoy-scene.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { endpoint, httpPort, service } from '../support/mesh-records.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';

const spiffe = (account: string) => `spiffe://mesh.test/ns/shop/sa/${account}`;
const sni = 'outbound_.80_._.orders.shop.mesh.internal';
const reference = { namespace: 'shop', name: 'orders', port: 80 };

interface Leaf {
  readonly chain: readonly Buffer[];
  readonly key: KeyObject;
}

const pemOf = ({ chain, key }: Leaf) => ({ cert: certificatesToPem(chain), key: keyToPem(key) });

/** Status of one call to an mTLS end, or what became of it. */
function callAs(leaf: Leaf, port: number, servername: string): Promise<number | string> {
  return new Promise((resolve) => {
    const options = { ...pemOf(leaf), port, host: '127.0.0.1', servername, rejectUnauthorized: false, agent: false, path: '/' };
    const sent = request(options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', () => resolve('refused'));
    sent.end();
  });
}

/** An mTLS end that would take anybody. */
async function startEnd(t: TestContext, leaf: Leaf, name: string): Promise<number> {
  const server = createServer({ ...pemOf(leaf), requestCert: true, rejectUnauthorized: false }, (_request, response) => response.end(name));
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test('Envoy takes callers by the pair of identity and cluster that their certificate proves, and by nothing else', {
  timeout: 120_000,
}, async (t) => {
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const app = await startApp(t, 'orders');
  const port = await deadPort();
  mesh.update(sceneInputs(pki, { services: [service('shop/orders', [endpoint('one', { address: '127.0.0.1', ports: { http: port } })])] }));
  const envoy = await mesh.envoy('orders', {
    claims: {
      inbound: { address: '127.0.0.1', port, services: [{ ...reference, protocol: 'http', address: '127.0.0.1', target: app.port }] },
    },
  });
  await untilListening(envoy, ['inbound']);
  const eastSan = 'east.cluster.mesh.test';
  const as = (signer: string, uris: string[], dns: string[], name = sni) => callAs(pki.forged(signer, { uris, dns }), port, name);

  assert.equal(await as('east', [spiffe('web')], [eastSan]), 200);
  assert.equal(await as('east', [spiffe('web')], [eastSan], 'outbound_.80_._.orders.shop.svc.clusterset.local'), 200);
  // Cluster west is not exported to: whatever it signs.
  assert.equal(await as('west', [spiffe('web')], ['west.cluster.mesh.test']), 403);
  assert.equal(await as('west', [spiffe('web')], []), 403);
  assert.equal(await as('west', [spiffe('web'), eastSan], []), 403);
  assert.equal(await as('west', [eastSan], ['west.cluster.mesh.test']), 403);
  assert.equal(await as('west', [spiffe('web')], [eastSan]), 'refused');
  // Two identities are none, and so is one of another trust domain, or none at all.
  assert.equal(await as('east', [spiffe('web'), spiffe('admin')], [eastSan]), 403);
  assert.equal(await as('east', ['spiffe://other.test/ns/shop/sa/web'], [eastSan]), 403);
  assert.equal(await as('east', [], [eastSan]), 403);
  assert.equal(await as('east', [spiffe('web')], []), 403);

  assert.equal(await callAs(new MeshPki().forged('east', { uris: [spiffe('web')], dns: [eastSan] }), port, sni), 'refused');
  assert.equal(await as('east', [spiffe('web')], [eastSan], 'outbound_.81_._.orders.shop.mesh.internal'), 'refused');
  assert.equal(await refusedUpdates(envoy), 0);
});

test('Envoy takes no certificate that was taken back, for HTTP and for plain TCP', { timeout: 120_000 }, async (t) => {
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const app = await startApp(t, 'orders');
  const port = await deadPort();
  const ports = [httpPort, { name: 'raw', port: 81, protocol: 'tcp' as const }];
  const at = endpoint('one', { address: '127.0.0.1', ports: { http: port, raw: port } });
  const services = [service('shop/orders', [at], { ports })];
  const [good, bad] = [pki.svid('east', 'shop', 'web'), pki.svid('east', 'shop', 'web')];
  const leaf = (svid: typeof good) => ({ chain: svid.chainDer, key: svid.key });
  mesh.update(sceneInputs(pki, { services }));
  const common = { namespace: 'shop', name: 'orders', address: '127.0.0.1', target: app.port };
  const claims = [
    { ...common, port: 80, protocol: 'http' as const },
    { ...common, port: 81, protocol: 'tcp' as const },
  ];
  const envoy = await mesh.envoy('orders', { claims: { inbound: { address: '127.0.0.1', port, services: claims } } });
  await untilListening(envoy, ['inbound']);
  const raw = 'outbound_.81_._.orders.shop.mesh.internal';
  for (const name of [sni, raw]) assert.equal(await callAs(leaf(bad), port, name), 200);
  mesh.update(sceneInputs(pki, { services, deniedSerials: ['0abc', bad.serial] }));
  await until('it is refused', async () => (await callAs(leaf(bad), port, sni)) === 403);
  assert.equal(await callAs(leaf(bad), port, raw), 'refused');
  for (const name of [sni, raw]) assert.equal(await callAs(leaf(good), port, name), 200);
  assert.equal(await refusedUpdates(envoy), 0);
});

test('Envoy calls nobody but the endpoint that the mesh means, in its own cluster', { timeout: 120_000 }, async (t) => {
  const pki = new MeshPki();
  const mesh = await new EnvoyMesh(t, pki).start();
  const outbound = await deadPort();
  const ends: Readonly<Record<string, Leaf>> = {
    'another identity': pki.forged('east', { uris: [spiffe('web')], dns: ['east.cluster.mesh.test'] }),
    'the same identity of another cluster': pki.forged('west', { uris: [spiffe('orders')], dns: ['west.cluster.mesh.test'] }),
    'another cluster without any DNS SAN': pki.forged('west', { uris: [spiffe('orders')], dns: [] }),
    'nobody of the mesh': new MeshPki().forged('east', { uris: [spiffe('orders')], dns: ['east.cluster.mesh.test'] }),
  };
  const answer = async () => {
    const reply = await fetch(`http://127.0.0.1:${outbound}/`, { method: 'POST', body: 'x', headers: { connection: 'close' } });
    return `${reply.status} ${await reply.text()}`;
  };
  const serve = async (leaf: Leaf, name: string) => {
    const port = await startEnd(t, leaf, name);
    mesh.update(
      sceneInputs(pki, { services: [service('shop/orders', [endpoint(name, { address: '127.0.0.1', ports: { http: port } })])] }),
    );
  };
  await serve(pki.forged('east', { uris: [spiffe('orders')], dns: ['east.cluster.mesh.test'] }), 'first');
  const client = await mesh.envoy('web', { claims: { outbound: [{ ...reference, address: '127.0.0.1', listen: outbound }] } });
  const unverified = async () => {
    const stats = await envoyStats(client, '^cluster\\.outbound.*ssl\\.fail_verify_(error|san)$');
    return [...stats.values()].reduce((sum, n) => sum + n, 0);
  };
  await untilListening(client, [`outbound|127.0.0.1|${outbound}`]);
  await until('the right one is taken', async () => (await answer()) === '200 first');
  for (const [name, leaf] of Object.entries(ends)) {
    const before = await unverified();
    await serve(leaf, name);
    const last = await until(`${name} is refused`, async () => {
      const said = await answer();
      return said.startsWith('200 first') ? undefined : said;
    });
    assert.match(last, /^503 /, name);
    assert.ok((await unverified()) > before, name);
    await serve(pki.forged('east', { uris: [spiffe('orders')], dns: ['east.cluster.mesh.test'] }), 'first');
    await until('the right one is taken', async () => (await answer()) === '200 first');
  }
  assert.equal(await refusedUpdates(client), 0);
});
