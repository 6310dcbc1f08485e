import assert from 'node:assert/strict';
import { copyFile, rename, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { seal } from '../../control/snapshot/seal.ts';
import { certificatesToPem, keyToPem } from '../../core/pki/index.ts';
import type { IngressServer, Routing } from '../../core/traffic/index.ts';
import { temporaryDir } from '../support/control-plane.ts';
import { refusedUpdates, startApp, untilListening } from '../support/envoy-mesh.ts';
import type { MeshPki } from '../support/mesh-pki.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { onEnd } from '../support/on-end.ts';
import { ask, startStaticMesh } from '../support/static-envoy.ts';
import { clusterName, httpRouting, place, routeTo, rule, serviceResources } from '../support/traffic-scene.ts';
import { until } from '../support/until.ts';

/** Certificates of people's own, as files. */
async function certificates(t: TestContext, pki: MeshPki) {
  const folder = await temporaryDir(t);
  const write = async (file: string, names: readonly string[]) => {
    const { chain, key } = pki.forged('east', { uris: [], dns: [...names] });
    await writeFile(join(folder, `${file}.pem`), certificatesToPem(chain));
    await writeFile(join(folder, `${file}.key`), keyToPem(key), { mode: 0o600 });
  };
  await write('one', ['one.east.cluster.mesh.test']);
  await write('two', ['two.east.cluster.mesh.test']);
  await writeFile(join(folder, 'ca.pem'), certificatesToPem([pki.root.certificate.der]));
  const at = (name: string) => join(folder, name);
  return { at, client: pki.forged('east', { uris: ['spiffe://mesh.test/ns/shop/sa/web'], dns: ['east.cluster.mesh.test'] }) };
}

function hello(port: number, servername: string, options: object = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, servername, rejectUnauthorized: false, ...options });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** The names in the server's certificate, and what it answers to one request. */
async function talk(port: number, servername: string, options: object = {}): Promise<string> {
  const socket = await hello(port, servername, options);
  const names = socket.getPeerCertificate().subjectaltname ?? '';
  socket.write(`GET / HTTP/1.1\r\nhost: ${servername}\r\nconnection: close\r\n\r\n`);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return `${names} ${/^HTTP\/1.1 (\d+)/.exec(text)?.[1] ?? text} ${/"app":"(\w+)"/.exec(text)?.[1] ?? ''}`;
}

test('an ingress gateway takes plain HTTP, ends TLS by files, demands certificates, passes SNI on and sends people to https', {
  timeout: 120_000,
}, async (t) => {
  const { pki, mesh, set } = await startStaticMesh(t);
  const { at, client } = await certificates(t, pki);
  const app = await startApp(t, 'shop');
  const raw = createTlsServer({ cert: certificatesToPem(client.chain), key: keyToPem(client.key) }, (socket) => socket.end('raw'));
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => raw.close());
  const [httpPort, tlsPort] = [await deadPort(), await deadPort()];
  const server = (name: string, hosts: readonly string[], more: Partial<IngressServer> = {}): IngressServer => {
    return { name, hosts, protocol: 'http', httpsRedirect: false, routing: 'ingress|http', ...more };
  };
  const tls = (file: string, mode: 'simple' | 'mutual') => ({
    tls: {
      mode,
      certFile: at(`${file}.pem`),
      keyFile: at(`${file}.key`),
      caFile: at('ca.pem'),
      minVersion: '1.2' as const,
      alpn: ['http/1.1'],
    },
  });
  const routing = httpRouting([rule('shop', [], routeTo({ [clusterName('shop')]: 1 }))]);
  const l4: Routing = {
    virtualHosts: [],
    l4: [{ name: 'raw', matches: [], destinations: [{ destination: { cluster: clusterName('raw') }, weight: 1 }] }],
  };
  const plain = [server('plain', ['shop.example.com']), server('redirect', ['*.secure.example.com'], { httpsRedirect: true })];
  const secure = [
    server('one', ['one.example.com'], tls('one', 'simple')),
    server('two', ['two.example.com'], tls('two', 'mutual')),
    server('raw', ['raw.example.com'], { protocol: 'tls-passthrough', routing: 'ingress|raw' }),
    server('again', ['one.example.com'], tls('two', 'simple')),
  ];
  set({
    'shop/shop': serviceResources('shop', { subsets: { '': { endpoints: [place(app.port)] } } }),
    'shop/raw': serviceResources('raw', { protocol: 'tls', subsets: { '': { endpoints: [place((raw.address() as AddressInfo).port)] } } }),
    'gateway shop/gateway': [
      seal('listener', 'ingress|http', { type: 'ingress', address: '127.0.0.1', port: httpPort, servers: plain }),
      seal('listener', 'ingress|tls', { type: 'ingress', address: '127.0.0.1', port: tlsPort, servers: secure }),
      seal('routing', 'ingress|http', routing),
      seal('routing', 'ingress|raw', l4),
    ],
  });
  const envoy = await mesh.envoy('web', { kind: 'ingress' });
  await untilListening(envoy, ['ingress|http', 'ingress|tls']);

  const shop = await until('an answer', async () => {
    const answer = await ask(httpPort, '/', { headers: { host: 'shop.example.com' } });
    return answer.status === 200 ? answer : undefined;
  });
  assert.equal(shop.app.app, 'shop');
  assert.equal((await ask(httpPort, '/', { headers: { host: 'else.example.com' } })).status, 404);
  const moved = await ask(httpPort, '/a?b=c', { headers: { host: 'a.secure.example.com' } });
  assert.deepEqual([moved.status, moved.headers['location']], [301, 'https://a.secure.example.com/a?b=c']);

  assert.equal(await talk(tlsPort, 'one.example.com'), 'DNS:one.east.cluster.mesh.test 200 shop');
  const own = { cert: certificatesToPem(client.chain), key: keyToPem(client.key) };
  assert.equal(await talk(tlsPort, 'two.example.com', own), 'DNS:two.east.cluster.mesh.test 200 shop');
  await assert.rejects(talk(tlsPort, 'two.example.com'));
  await assert.rejects(talk(tlsPort, 'nobody.example.com'));
  assert.match(await talk(tlsPort, 'raw.example.com'), /raw/);

  // Replaced as certificates are: a new file moved over the old one.
  for (const end of ['key', 'pem']) {
    await copyFile(at(`two.${end}`), at(`new.${end}`));
    await rename(at(`new.${end}`), at(`one.${end}`));
  }
  await until('the new certificate', async () => (await talk(tlsPort, 'one.example.com').catch(() => '')).startsWith('DNS:two'));
  assert.equal(await refusedUpdates(envoy), 0);
});
