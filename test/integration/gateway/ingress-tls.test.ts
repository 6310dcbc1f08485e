import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import type { EchoReply } from '../../../cli/demo/echo-app.ts';
import { certificatesToPem, keyToPem } from '../../../core/pki/index.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';
import { ask, domain, gatewayObject, IngressSite, shown, virtualService } from './ingress-site.ts';

const at = (name: string) => `${name}.${domain}`;
const toWeb = { destination: { host: 'web.shop.mesh.internal', port: { number: 8080 } } };
const leading = virtualService('web', { hosts: ['*'], gateways: ['front'], http: [{ route: [toWeb] }] });

test('TLS ends by files: by server name, for clients with and without certificates; a bad file stops its own server alone', {
  timeout: 180_000,
}, async (t) => {
  const site = await IngressSite.start(t);
  await site.mesh.vm('web', 8080);
  await site.certificate('one', 'one');
  await site.certificate('wild', '*');
  const client = await site.certificate('client', 'client');
  await site.certificate('bad', 'bad');
  await chmod(site.at('bad.key'), 0o644);
  await site.authority();
  const gateway = await site.gateway();
  const port = await deadPort();
  const https = (name: string, hosts: readonly string[], file: string, more: object = {}) => ({
    port: { number: port, name, protocol: 'HTTPS' },
    hosts,
    tls: { mode: 'SIMPLE', serverCertificate: site.at(`${file}.pem`), privateKey: site.at(`${file}.key`), ...more },
  });
  const verified = { mode: 'MUTUAL', caCertificates: site.at('ca.pem') };
  await site.configure(
    'ingress.yaml',
    gatewayObject('front', [
      https('one', [at('one')], 'one'),
      https('wild', [`*.${domain}`], 'wild'),
      https('mutual', [at('mutual')], 'one', verified),
      https('optional', [at('optional')], 'one', { ...verified, mode: 'OPTIONAL_MUTUAL' }),
      https('new', [at('new')], 'one', { minProtocolVersion: 'TLSV1_3' }),
      https('bad', [at('bad')], 'bad'),
      https('gone', [at('gone')], 'gone'),
    ]),
    leading,
  );
  const answer = await until('an answer', async () => {
    const said = await ask(port, at('one'), {}, { servername: at('one') });
    return said.status === 200 ? said : undefined;
  });
  assert.deepEqual((JSON.parse(answer.body) as EchoReply).principal, 'spiffe://mesh.example.org/ns/isthmus-system/sa/ingress');
  assert.equal((await ask(port, 'else.example.com', {}, { servername: at('one') })).status, 404, 'a server leads its own hosts alone');
  assert.deepEqual([await shown(port, at('one')), await shown(port, at('any'))], [`DNS:${at('one')}`, `DNS:*.${domain}`]);
  for (const refused of ['else.example.com', undefined, at('bad'), at('gone')]) await assert.rejects(shown(port, refused), `${refused}`);
  await assert.rejects(ask(port, at('mutual'), {}, { servername: at('mutual') }));
  assert.equal((await ask(port, at('mutual'), {}, { servername: at('mutual'), ...client })).status, 200);
  assert.equal((await ask(port, at('optional'), {}, { servername: at('optional') })).status, 200);
  assert.equal((await ask(port, at('optional'), {}, { servername: at('optional'), ...client })).status, 200);
  const stranger = new MeshPki().forged('east', { uris: [], dns: [at('client')] });
  const wrong = { cert: certificatesToPem(stranger.chain), key: keyToPem(stranger.key) };
  for (const name of ['mutual', 'optional']) await assert.rejects(ask(port, at(name), {}, { servername: at(name), ...wrong }), name);
  await assert.rejects(shown(port, at('new'), { maxVersion: 'TLSv1.2' }));
  assert.equal((await ask(port, at('new'), {}, { servername: at('new') })).status, 200);
  const problems = () => gateway.status().ingress?.certificates.filter((each) => each.problem !== undefined) ?? [];
  assert.match(
    problems().find((each) => each.certFile === site.at('bad.pem'))?.problem ?? '',
    /bad\.key is open to others \(mode 0644\).*chmod 0600/,
  );
  assert.match(problems().find((each) => each.certFile === site.at('gone.pem'))?.problem ?? '', /gone\.pem cannot be read: ENOENT/);

  await chmod(site.at('bad.key'), 0o600);
  await site.certificate('gone', 'gone');
  await until('both to be served', () => (problems().length === 0 ? true : undefined));
  assert.deepEqual([await shown(port, at('bad')), await shown(port, at('gone'))], [`DNS:${at('bad')}`, `DNS:${at('gone')}`]);
});

test('a certificate is replaced under load without a failed request, and one that does not fit its key replaces nothing', {
  timeout: 180_000,
}, async (t) => {
  const site = await IngressSite.start(t);
  await site.mesh.vm('web', 8080);
  await site.certificate('one', 'one');
  await site.certificate('two', 'two');
  const gateway = await site.gateway();
  const port = await deadPort();
  const tls = { mode: 'SIMPLE', serverCertificate: site.at('one.pem'), privateKey: site.at('one.key') };
  await site.configure(
    'ingress.yaml',
    gatewayObject('front', [{ port: { number: port, name: 'https', protocol: 'HTTPS' }, hosts: ['*'], tls }]),
    leading,
  );
  const call = () => ask(port, at('one'), {}, { servername: at('one') });
  await until('an answer', async () => (await call().catch(() => undefined))?.status === 200);
  let [answers, failures] = [0, 0];
  const load = new AbortController();
  const callers = [0, 1].map(async () => {
    while (!load.signal.aborted) {
      const status = await call().then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) answers += 1;
      else failures += 1;
    }
  });
  const problem = () => gateway.status().ingress?.certificates[0]?.problem;
  await site.replace('two.key', 'one.key');
  assert.match(await until('the misfit to be seen', problem), /one\.key is not that of the certificate/);
  assert.equal(await shown(port, at('one')), `DNS:${at('one')}`);
  await site.replace('two.pem', 'one.pem');
  await until('the new one', async () => (await shown(port, at('one'))) === `DNS:${at('two')}`);
  assert.equal(problem(), undefined);
  const before = answers;
  await until('more answers', () => answers > before + 5);
  load.abort();
  await Promise.all(callers);
  assert.equal(failures, 0);
});

test('TLS goes through by server name, bytes go by port, and all of it goes on from disk without a control plane', {
  timeout: 180_000,
}, async (t) => {
  const site = await IngressSite.start(t);
  await site.mesh.vm('web', 8080);
  const own = await site.certificate('own', 'own');
  const server = createTlsServer({ ...own }, (socket) => socket.end('raw'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => server.close());
  const first = await site.gateway();
  const [through, bytes] = [await deadPort(), await deadPort()];
  const entry = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name: 'raw', namespace: 'shop' },
    spec: {
      hosts: ['raw.example.com'],
      ports: [{ number: 443, name: 'tls', protocol: 'TLS' }],
      resolution: 'STATIC',
      location: 'MESH_EXTERNAL',
      endpoints: [{ address: '127.0.0.1', ports: { tls: (server.address() as AddressInfo).port } }],
    },
  };
  const toRaw = { destination: { host: 'raw.example.com', port: { number: 443 } } };
  await site.configure(
    'ingress.yaml',
    gatewayObject('front', [
      { port: { number: through, name: 'tls', protocol: 'TLS' }, hosts: [at('own')], tls: { mode: 'PASSTHROUGH' } },
      { port: { number: bytes, name: 'tcp', protocol: 'TCP' }, hosts: ['*'] },
    ]),
    entry,
    virtualService('raw', {
      hosts: [at('own')],
      gateways: ['front'],
      tls: [{ match: [{ port: through, sniHosts: [at('own')] }], route: [toRaw] }],
    }),
    virtualService('tcp', { hosts: ['*'], gateways: ['front'], tcp: [{ match: [{ port: bytes }], route: [toWeb] }] }),
  );
  const plain = () => ask(bytes, 'anything.example.com').catch(() => undefined);
  await until('bytes by port', async () => (await plain())?.status === 200);
  await until('TLS that goes through', async () => (await shown(through, at('own')).catch(() => '')) === `DNS:${at('own')}`);
  await assert.rejects(shown(through, at('else')));
  await first.drain();
  await site.mesh.stopControl();
  const second = await site.gateway();
  assert.equal(second.status().data.from, 'disk');
  assert.equal((await plain())?.status, 200);
  assert.equal(await shown(through, at('own')), `DNS:${at('own')}`);
});
