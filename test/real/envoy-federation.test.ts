import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import type { TLSSocket } from 'node:tls';
import { authorizationPolicies } from '../../control/policy/index.ts';
import type { AuthorizationPolicyObject } from '../../core/config/index.ts';
import { certificatesToPem, keyToPem } from '../../core/pki/index.ts';
import { EnvoyMesh, startApp, untilListening } from '../support/envoy-mesh.ts';
import { sceneInputs } from '../support/envoy-scene.ts';
import { ForeignDomain } from '../support/foreign-domain.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { endpoint, service } from '../support/mesh-records.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { trafficModel } from '../support/traffic-sketch.ts';
import { until } from '../support/until.ts';

const sni = 'outbound_.80_._.orders.shop.mesh.internal';
const reference = { namespace: 'shop', name: 'orders', port: 80 };

interface Leaf {
  readonly chain: readonly Buffer[];
  readonly key: KeyObject;
}

/** Status of one call to an mTLS end, or what became of it. */
function callAs({ chain, key }: Leaf, port: number): Promise<number | string> {
  return new Promise((resolve) => {
    const certificate = { cert: certificatesToPem(chain), key: keyToPem(key) };
    const options = { ...certificate, port, host: '127.0.0.1', servername: sni, rejectUnauthorized: false, agent: false, path: '/' };
    const sent = request(options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', () => resolve('refused'));
    sent.end();
  });
}

const nobody = { principals: [], notPrincipals: [], namespaces: [], notNamespaces: [], clusters: [] };
const allow = (principals: readonly string[]): AuthorizationPolicyObject =>
  ({
    kind: 'AuthorizationPolicy',
    name: 'callers',
    namespace: 'shop',
    spec: { selector: {}, action: 'ALLOW', rules: [{ from: [{ ...nobody, principals }] }] },
  }) as never;

test('Envoy verifies callers of another trust domain by that domain alone, and lets in whom a policy names with it', {
  timeout: 120_000,
}, async (t) => {
  const pki = new MeshPki();
  const partner = await ForeignDomain.create('partner.example');
  const mesh = await new EnvoyMesh(t, pki).start();
  const app = await startApp(t, 'orders');
  const port = await deadPort();
  const inputs = sceneInputs(pki, {
    services: [service('shop/orders', [endpoint('one', { address: '127.0.0.1', ports: { http: port } })])],
  });
  const others = [{ trustDomain: 'partner.example', roots: partner.bundle.roots }];
  const federated = [{ trustDomain: 'partner.example', namespaces: ['shop'] }];
  const under = (principals: readonly string[], withThem = true) => ({
    ...inputs,
    trust: withThem ? { ...inputs.trust, others } : inputs.trust,
    policies: [...inputs.policies, authorizationPolicies([allow(principals)], federated)],
  });
  mesh.update(under(['partner.example/workload', 'mesh.test/*']));
  const envoy = await mesh.envoy('orders', {
    claims: {
      inbound: { address: '127.0.0.1', port, services: [{ ...reference, protocol: 'http', address: '127.0.0.1', target: app.port }] },
    },
  });
  await untilListening(envoy, ['inbound']);
  const own = pki.forged('east', { uris: ['spiffe://mesh.test/ns/shop/sa/web'], dns: ['east.cluster.mesh.test'] });
  const theirs = await partner.leaf();

  assert.equal(await callAs(theirs, port), 200);
  assert.equal(await callAs(await partner.leaf({}, await partner.signer({ pathLength: 0 })), port), 200);
  assert.equal(await callAs(own, port), 200);
  const theirsAs = async (uris: string[], dns: string[] = []) => callAs(await partner.leaf({ uris, dns }), port);
  // Named otherwise, twice, or with our clusters' names besides: still other.
  assert.equal(await theirsAs(['spiffe://partner.example/other'], ['east.cluster.mesh.test']), 403);
  assert.equal(await theirsAs(['spiffe://partner.example/workload', 'spiffe://mesh.test/ns/shop/sa/web'], ['east.cluster.mesh.test']), 403);
  // An authority of one domain vouches for nobody of another.
  assert.equal(await theirsAs(['spiffe://mesh.test/ns/shop/sa/web'], ['east.cluster.mesh.test']), 'refused');
  const crossed = pki.forged('east', { uris: ['spiffe://partner.example/workload'], dns: ['east.cluster.mesh.test'] });
  assert.equal(await callAs(crossed, port), 'refused');
  assert.equal(await callAs(await (await ForeignDomain.create('third.example')).leaf(), port), 'refused');
  // What the mesh demands of its own stays.
  assert.equal(await callAs(pki.forged('east', { uris: ['spiffe://mesh.test/ns/shop/sa/web'], dns: [] }), port), 403);
  assert.equal(
    await callAs(pki.forged('west', { uris: ['spiffe://mesh.test/ns/shop/sa/web'], dns: ['east.cluster.mesh.test'] }), port),
    'refused',
  );

  mesh.update(under(['*']));
  await until('everybody is everybody of the mesh', async () => (await callAs(theirs, port)) === 403 && (await callAs(own, port)) === 200);
  mesh.update(under(['partner.example/*', 'mesh.test/*']));
  await until('they are named again', async () => (await callAs(theirs, port)) === 200);
  mesh.update(under(['partner.example/*', 'mesh.test/*'], false));
  await until('a federation that has ended', async () => (await callAs(theirs, port)) === 'refused');
  assert.equal(await callAs(own, port), 200);
});

test('Envoy calls a server of another trust domain that is who it should be by that domain’s bundle, with its own SVID, and nobody else', {
  timeout: 120_000,
}, async (t) => {
  const pki = new MeshPki();
  const [partner, third] = [await ForeignDomain.create('partner.example'), await ForeignDomain.create('third.example')];
  const mesh = await new EnvoyMesh(t, pki).start();
  const outbound = await deadPort();
  const callers: string[] = [];
  const serve = async (leaf: Leaf): Promise<number> => {
    const certificate = { cert: certificatesToPem(leaf.chain), key: keyToPem(leaf.key) };
    const server = createServer({ ...certificate, requestCert: true, rejectUnauthorized: false }, (asked, response) => {
      callers.push((asked.socket as TLSSocket).getPeerX509Certificate()?.subjectAltName ?? '');
      response.end('hello');
    });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onEnd(t, () => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };
  const wanted = 'spiffe://partner.example/workload';
  const foreign = { trustDomain: 'partner.example', uriSans: [wanted], host: 'orders.partner.example' };
  const traffic = trafficModel({ 'shop/orders': { policy: { foreign }, port: 80 } });
  const others = [partner, third].map(({ trustDomain, bundle }) => ({ trustDomain, roots: bundle.roots }));
  const lead = (port: number, known = others) => {
    const at = endpoint(`at-${port}`, { address: '127.0.0.1', ports: { http: port }, tlsMode: 'none' });
    const inputs = sceneInputs(pki, { services: [service('shop/orders', [at])] });
    mesh.update({ ...inputs, traffic, trust: { ...inputs.trust, others: known } });
  };
  const answer = async () => {
    const reply = await fetch(`http://127.0.0.1:${outbound}/`, { headers: { connection: 'close' } });
    return `${reply.status} ${await reply.text()}`;
  };
  const right = await serve(await partner.leaf());
  lead(right, []);
  const client = await mesh.envoy('web', { claims: { outbound: [{ ...reference, address: '127.0.0.1', listen: outbound }] } });
  await untilListening(client, [`outbound|127.0.0.1|${outbound}`]);
  assert.match(await answer(), /^503 /, 'without a bundle nobody is of that domain');
  lead(right);
  await until('the right one is taken', async () => (await answer()) === '200 hello');
  assert.deepEqual([...new Set(callers)], ['URI:spiffe://mesh.test/ns/shop/sa/web, DNS:east.cluster.mesh.test']);
  const wrong: Readonly<Record<string, Leaf>> = {
    'another identity': await partner.leaf({ uris: ['spiffe://partner.example/other'] }),
    'its name by our authority': pki.forged('east', { uris: [wanted], dns: ['east.cluster.mesh.test'] }),
    'its name by a third authority': await third.leaf({ uris: [wanted] }),
    'our own server': pki.forged('east', { uris: ['spiffe://mesh.test/ns/shop/sa/orders'], dns: ['east.cluster.mesh.test'] }),
  };
  const before = callers.length;
  for (const [name, leaf] of Object.entries(wrong)) {
    lead(await serve(leaf));
    const refused = await until(`${name} is refused`, async () => {
      const said = await answer();
      return said.startsWith('200') ? undefined : said;
    });
    assert.match(refused, /^503 /, name);
    const calls = callers.length;
    assert.match(await answer(), /^503 /, name);
    assert.equal(callers.length, calls, `${name} hears nothing`);
    lead(right);
    await until('the right one again', async () => (await answer()) === '200 hello');
  }
  assert.ok(callers.length > before);
});
