import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { formatBundle } from '../../../control/federation/bundle-document.ts';
import { BundleServer, FederatedDomains, OwnBundle } from '../../../control/federation/index.ts';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import type { FederatedTrustDomainSpec } from '../../../core/config/index.ts';
import type { MeshError } from '../../../core/errors.ts';
import { SettableSvidSource } from '../../../core/identity/index.ts';
import { certificatesToPem, keyToPem, type TrustBundle } from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { ForeignDomain } from '../../support/foreign-domain.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const log = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} } as never;

/** A bundle endpoint that answers with what a test says, with that certificate. */
async function endpoint(t: TestContext, domain: ForeignDomain, uri = `spiffe://${domain.trustDomain}/server`) {
  const leaf = await domain.leaf({ uris: [uri], dns: ['localhost'] });
  const said = { document: '', status: 200, asked: 0, etag: '' };
  const server = createServer({ cert: certificatesToPem(leaf.chain), key: keyToPem(leaf.key) }, (request, response) => {
    said.asked += 1;
    const fresh = said.etag !== '' && request.headers['if-none-match'] === said.etag;
    response.writeHead(fresh ? 304 : said.status, said.etag === '' ? {} : { etag: said.etag });
    response.end(fresh ? undefined : said.document);
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  onEnd(t, close);
  return { said, url: `https://localhost:${(server.address() as AddressInfo).port}/`, close };
}

async function federation(t: TestContext, dir: string) {
  const store = await openEmbeddedStore({ dir: join(dir, 'store'), clock: systemClock });
  const refused: MeshError[] = [];
  const stop = new AbortController();
  const domains = new FederatedDomains({ store, clock: systemClock, random: () => 0.5, log, onRefused: (error) => refused.push(error) });
  const close = async () => {
    stop.abort();
    await domains.ended();
    await store.close();
  };
  onEnd(t, close);
  return { domains, store, refused, configure: (specs: FederatedTrustDomainSpec[]) => domains.configure(specs, stop.signal), close };
}

const documentOf = (bundle: TrustBundle, sequence: number, more: readonly Uint8Array[] = []) =>
  formatBundle({ authorities: [...bundle.roots, ...more], jwtKeys: [], sequence });

test('a bundle is fetched by https_spiffe from whom it authenticates itself, follows a rotation of its root, and outlives its endpoint', async (t) => {
  const dir = await temporaryDir(t);
  const old = await ForeignDomain.create('partner.example');
  const next = await ForeignDomain.create('partner.example');
  const file = join(dir, 'partner.json');
  await writeFile(file, documentOf(old.bundle, 1));
  const first = await endpoint(t, old);
  const spec = (url: string): FederatedTrustDomainSpec => ({
    trustDomain: 'partner.example',
    bundleEndpoint: { profile: 'https_spiffe', url, endpointSpiffeId: 'spiffe://partner.example/server' },
    bundleFile: file,
    namespaces: ['*'],
  });
  first.said.document = documentOf(old.bundle, 2, next.bundle.roots);
  const running = await federation(t, dir);
  let changes = 0;
  running.domains.subscribe(() => {
    changes += 1;
  });
  await running.configure([spec(first.url)]);
  assert.equal(running.domains.bundles()[0]?.roots.length, 1, 'the file, before the endpoint has answered');
  await until('both roots are known', () => running.domains.bundles()[0]?.roots.length === 2);
  assert.equal(running.domains.status()[0]?.known?.bundle.sequence, 2);
  assert.ok(changes >= 2);

  // The endpoint has moved to the new root, and drops the old one.
  const second = await endpoint(t, next);
  second.said.document = documentOf(next.bundle, 3);
  await running.configure([spec(second.url)]);
  await until('the old root is gone', () => running.domains.bundles()[0]?.roots.length === 1);
  assert.deepEqual(running.domains.bundles()[0]?.roots, next.bundle.roots);

  // Somebody with the old root alone proves nothing any more.
  await running.configure([spec(first.url)]);
  await until('the attempt was refused', () => running.refused.some((error) => error.code === 'IDENTITY_INVALID'));
  assert.deepEqual(running.domains.bundles()[0]?.roots, next.bundle.roots);
  await running.close();

  // A restart with nobody to ask: the last good one, with its age.
  first.close();
  second.close();
  const again = await federation(t, dir);
  await again.configure([spec(second.url)]);
  assert.deepEqual(again.domains.bundles()[0]?.roots, next.bundle.roots);
  await until('it says that it cannot be asked', () => (again.domains.status()[0]?.failures ?? 0) > 0);
  assert.equal(again.refused[0]?.code, 'UPSTREAM_UNREACHABLE');
  assert.deepEqual(again.domains.bundles()[0]?.roots, next.bundle.roots);
});

test('who is not the endpoint, and what is no newer bundle of that domain, change nothing', async (t) => {
  const dir = await temporaryDir(t);
  const partner = await ForeignDomain.create('partner.example');
  const other = await ForeignDomain.create('other.example');
  const file = join(dir, 'partner.json');
  await writeFile(file, documentOf(partner.bundle, 5));
  const running = await federation(t, dir);
  const trial = async (url: string, reason: RegExp) => {
    const spec = { profile: 'https_spiffe' as const, url, endpointSpiffeId: 'spiffe://partner.example/server' };
    await running.configure([{ trustDomain: 'partner.example', bundleEndpoint: spec, bundleFile: file, namespaces: ['*'] }]);
    await assert.rejects(running.domains.refresh('partner.example'), reason);
    assert.deepEqual(running.domains.bundles()[0]?.roots, partner.bundle.roots);
    assert.equal(running.domains.status()[0]?.known?.bundle.sequence, 5);
  };
  const workload = await endpoint(t, partner, 'spiffe://partner.example/workload');
  await trial(workload.url, /is spiffe:\/\/partner\.example\/workload, expected/);
  await trial((await endpoint(t, other, 'spiffe://partner.example/server')).url, /certificate|issuer/);
  const right = await endpoint(t, partner);
  const cases: [document: string, reason: RegExp][] = [
    [documentOf(partner.bundle, 4), /has sequence 4, where 5 is known/],
    [formatBundle({ authorities: partner.bundle.roots, jwtKeys: [] }), /says no sequence/],
    [documentOf(other.bundle, 6), /is of trust domain other\.example/],
    ['<html>', /is not JSON/],
    [' '.repeat(600_000), /more than 524288 bytes/],
  ];
  for (const [document, reason] of cases) {
    right.said.document = document;
    await trial(right.url, reason);
  }
  right.said.status = 302;
  await trial(right.url, /answered 302/);
  Object.assign(right.said, { status: 200, etag: '"a"', document: documentOf(partner.bundle, 6) });
  await running.domains.refresh('partner.example');
  const { asked } = right.said;
  await running.domains.refresh('partner.example');
  assert.deepEqual([right.said.asked, running.domains.status()[0]?.known?.bundle.sequence], [asked + 1, 6]);
  // Everything is taken back: nobody is left to be let in.
  Object.assign(right.said, { etag: '', document: formatBundle({ authorities: [], jwtKeys: [], sequence: 7 }) });
  await running.domains.refresh('partner.example');
  assert.deepEqual(running.domains.bundles()[0]?.roots, []);
});

test('our endpoint serves our bundle to the other side, by its SVID and by a certificate of the web, and its number goes up at each change', async (t) => {
  const dir = await temporaryDir(t);
  const pki = new MeshPki('mesh.test');
  const renewed = new MeshPki('mesh.test');
  const store = await openEmbeddedStore({ dir: join(dir, 'own'), clock: systemClock });
  onEnd(t, () => store.close());
  let bundle = pki.bundle;
  const own = new OwnBundle({ store, clock: systemClock, refreshHintMs: 60_000, bundle: () => bundle, jwtKeys: () => [] });
  const svid = new SettableSvidSource(pki.svid('east', 'isthmus-system', 'control'), bundle);
  const listen = { host: '127.0.0.1', port: 0 };
  const web = await ForeignDomain.create('web.example');
  const leaf = await web.leaf({ uris: [], dns: ['localhost'] });
  const [certFile, keyFile, caFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem'), join(dir, 'ca.pem')];
  await writeFile(certFile, certificatesToPem(leaf.chain));
  await writeFile(keyFile, keyToPem(leaf.key), { mode: 0o600 });
  await writeFile(caFile, certificatesToPem(web.bundle.roots));
  const common = { listen, svid: () => svid, bundle: () => own.current(), log };
  const servers = {
    spiffe: new BundleServer({ ...common, spec: { listen: '', profile: 'https_spiffe', refreshHintMs: 60_000 } }),
    web: new BundleServer({ ...common, spec: { listen: '', profile: 'https_web', certFile, keyFile, refreshHintMs: 60_000 } }),
  };
  for (const server of Object.values(servers)) {
    await server.start();
    onEnd(t, () => server.dispose());
  }
  const urlOf = (server: BundleServer) => `https://localhost:${server.address.port}/`;
  const file = join(dir, 'mesh.json');
  await writeFile(file, formatBundle({ authorities: bundle.roots, jwtKeys: [] }));
  const running = await federation(t, dir);
  const endpointSpiffeId = 'spiffe://mesh.test/ns/isthmus-system/sa/control';
  await running.configure([
    {
      trustDomain: 'mesh.test',
      bundleEndpoint: { profile: 'https_spiffe', url: urlOf(servers.spiffe), endpointSpiffeId },
      bundleFile: file,
      namespaces: ['*'],
    },
  ]);
  const sequence = async () => (await running.domains.refresh('mesh.test')).known?.bundle.sequence ?? 0;
  const before = await sequence();
  assert.equal(await sequence(), before);
  bundle = { ...bundle, roots: [...bundle.roots, ...renewed.bundle.roots] };
  assert.ok((await sequence()) > before);
  assert.equal(running.domains.bundles()[0]?.roots.length, 2);
  // The server presents another SVID from then on, without a restart.
  svid.set(renewed.svid('east', 'isthmus-system', 'control'));
  servers.spiffe.refresh();
  await sequence();
  await running.configure([
    { trustDomain: 'mesh.test', bundleEndpoint: { profile: 'https_web', url: urlOf(servers.web), caFile }, namespaces: ['*'] },
  ]);
  assert.ok((await sequence()) > before);
  await running.configure([
    { trustDomain: 'mesh.test', bundleEndpoint: { profile: 'https_web', url: urlOf(servers.spiffe), caFile }, namespaces: ['*'] },
  ]);
  await assert.rejects(running.domains.refresh('mesh.test'), /IDENTITY|certificate/i);
});

test('a domain that has a bundle file alone is refreshed by reading it again, and fails only where the file is wrong', async (t) => {
  const dir = await temporaryDir(t);
  const [old, next] = [await ForeignDomain.create('partner.example'), await ForeignDomain.create('partner.example')];
  const file = join(dir, 'partner.json');
  await writeFile(file, documentOf(old.bundle, 1));
  const running = await federation(t, dir);
  await running.configure([{ trustDomain: 'partner.example', bundleFile: file, namespaces: ['*'] }]);
  const refreshed = () => running.domains.refresh('partner.example');
  const rootsOf = () => running.domains.bundles()[0]?.roots.map((root) => Buffer.from(root).toString('hex'));
  const hex = (bundle: TrustBundle) => bundle.roots.map((root) => Buffer.from(root).toString('hex'));
  assert.deepEqual([(await refreshed()).failures, running.refused], [0, []]);
  await writeFile(file, documentOf(next.bundle, 2));
  assert.equal((await refreshed()).failures, 0);
  assert.deepEqual(rootsOf(), hex(next.bundle));
  await writeFile(file, '{');
  await assert.rejects(refreshed(), { code: 'CONFIG_INVALID', message: /bundleFile .* is not JSON/ });
  assert.deepEqual([running.domains.status()[0]?.failures, running.refused.length], [1, 1]);
  assert.deepEqual(rootsOf(), hex(next.bundle), 'the last good one stays');
  await writeFile(file, documentOf(next.bundle, 2));
  const { failures, error } = await refreshed();
  assert.deepEqual([failures, error], [0, undefined]);
});
