import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import 'reflect-metadata';
import * as peculiar from '@peculiar/x509';
import { formatBundle } from '../../control/federation/bundle-document.ts';
import { BundleServer, FederatedDomains, OwnBundle } from '../../control/federation/index.ts';
import { openEmbeddedStore } from '../../control/store/index.ts';
import { keyIdOf, signJwtSvid, verifyJwtSvid } from '../../core/jwt/index.ts';
import { silentLog } from '../../core/log.ts';
import { certificatesToPem, generateKey, keyToPem, parseCertificate, spkiOf } from '../../core/pki/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { AgentPlane, agentOptions, runTestAgent } from '../support/agent-plane.ts';
import { temporaryDir } from '../support/control-plane.ts';
import { ForeignDomain } from '../support/foreign-domain.ts';
import { MeshPki } from '../support/mesh-pki.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { SpiffeClient, type X509Update } from './spiffe/client.ts';

const run = promisify(execFile);

async function scene(t: Parameters<typeof temporaryDir>[0], options: { svidTtlMs?: number } = {}) {
  const plane = await AgentPlane.start(t, options);
  const stateDir = await temporaryDir(t);
  const open = await temporaryDir(t);
  await chmod(open, 0o755);
  const socket = join(open, 'run', 'workload.sock');
  const input = agentOptions({ stateDir, token: await plane.token('orders'), workloadApi: { socket } });
  await runTestAgent(t, input);
  return { plane, socket, client: await SpiffeClient.open(t) };
}

test('go-spiffe is served, verifies what it gets, and sees each renewal; another user gets nothing', async (t) => {
  const { socket, client, plane } = await scene(t, { svidTtlMs: 4_000 });
  const { trustDomain } = plane.plane.authority;
  const id = `spiffe://${trustDomain}/ns/shop/sa/orders`;
  assert.deepEqual(await client.ask(0, 'source', socket), { id });
  const bundles = await client.ask(0, 'bundles', socket);
  const roots = plane.plane.authority.bundle().roots.map((root) => Buffer.from(root).toString('base64'));
  assert.deepEqual(bundles, { bundles: { [trustDomain]: roots } });
  const watch = client.watch(0, 'watch', socket);
  const updates = () => watch.lines as X509Update[];
  await until('two renewals', () => updates().length >= 3);
  const leaves = updates().map(({ svids }) => svids[0]?.chain[0]);
  assert.equal(new Set(leaves).size, leaves.length);
  for (const { svids, bundles: of } of updates()) {
    assert.deepEqual(of, { [trustDomain]: roots });
    assert.deepEqual(
      svids.map((svid) => [svid.id, svid.verified]),
      [[id, id]],
    );
  }
  const refused = client.watch(61_001, 'watch', socket);
  const [error] = await until('a refusal', () => (refused.lines.length > 0 ? refused.lines : undefined));
  assert.match(JSON.stringify(error), /PermissionDenied.*no identity for uid 61001/);
});

test('go-spiffe fetches a JWT-SVID, verifies it by the bundle that it is served, and has it validated', async (t) => {
  const { socket, client, plane } = await scene(t);
  const { trustDomain } = plane.plane.authority;
  const id = `spiffe://${trustDomain}/ns/shop/sa/orders`;
  const { token, bundles, ...said } = await client.ask(0, 'jwt', socket, 'payments');
  assert.deepEqual(said, { id, verified: id });
  const [key] = plane.plane.jwtKeys.published();
  const jwks = (bundles as Record<string, { keys: { kid: string }[] }>)[trustDomain];
  assert.deepEqual(
    jwks?.keys.map(({ kid }) => kid),
    [key?.keyId],
  );
  const validated = await client.ask(0, 'validate', socket, 'payments', String(token));
  assert.equal(validated['id'], id);
  assert.equal((validated['claims'] as Record<string, unknown>)['isthmus.dev/cluster'], 'east');
  for (const [audience, text, expected] of [
    ['stock', String(token), /InvalidArgument.*another audience/],
    ['payments', `${String(token).slice(0, -8)}AAAAAAAA`, /InvalidArgument.*signature does not hold/],
  ] as const)
    assert.match(JSON.stringify(await client.ask(0, 'validate', socket, audience, text)), expected);
  assert.match(JSON.stringify(await client.ask(61_001, 'jwt', socket, 'payments')), /PermissionDenied.*no identity for uid 61001/);
});

test('openssl verifies what is served, and three libraries read the same in every certificate', async (t) => {
  const { socket, client } = await scene(t);
  const watch = client.watch(0, 'watch', socket);
  const [update] = (await until('an update', () => (watch.lines.length > 0 ? watch.lines : undefined))) as X509Update[];
  const chain = (update?.svids[0]?.chain ?? []).map((text) => Buffer.from(text, 'base64'));
  const roots = Object.values(update?.bundles ?? {}).flatMap((all) => all.map((text) => Buffer.from(text, 'base64')));
  const dir = await temporaryDir(t);
  const write = async (name: string, ders: readonly Buffer[]) => {
    await writeFile(join(dir, name), certificatesToPem(ders));
    return join(dir, name);
  };
  const [leaf, others, trusted] = [
    await write('leaf', chain.slice(0, 1)),
    await write('others', chain.slice(1)),
    await write('roots', roots),
  ];
  for (const purpose of ['sslclient', 'sslserver']) {
    const { stdout } = await run('openssl', [
      'verify',
      '-x509_strict',
      '-purpose',
      purpose,
      '-CAfile',
      trusted,
      '-untrusted',
      others,
      leaf,
    ]);
    assert.match(stdout, /: OK/);
  }
  for (const der of [...chain, ...roots]) {
    const [node, other, ours] = [new X509Certificate(der), new peculiar.X509Certificate(der), parseCertificate(der)];
    assert.ok(ours.ok);
    assert.equal(BigInt(`0x${other.serialNumber}`), BigInt(`0x${node.serialNumber}`));
    assert.equal(BigInt(`0x${ours.value.serial}`), BigInt(`0x${node.serialNumber}`));
    assert.deepEqual([other.notBefore.getTime(), other.notAfter.getTime()], [ours.value.notBefore, ours.value.notAfter]);
    assert.equal(new Date(node.validTo).getTime(), ours.value.notAfter);
    assert.equal(node.ca, other.getExtension(peculiar.BasicConstraintsExtension)?.ca ?? false);
    const names = other.getExtension(peculiar.SubjectAlternativeNameExtension)?.names.items ?? [];
    const said = names.map((name) => `${name.type === 'url' ? 'URI' : name.type.toUpperCase()}:${name.value}`).join(', ');
    assert.equal(said, node.subjectAltName ?? '');
    assert.deepEqual(ours.value.spki, node.publicKey.export({ type: 'spki', format: 'der' }));
  }
});

test('go-spiffe fetches our bundle from whom it authenticates, verifies our tokens by it, and serves one that is taken with its keys', async (t) => {
  const dir = await temporaryDir(t);
  await chmod(dir, 0o755);
  const pki = new MeshPki();
  const client = await SpiffeClient.open(t);
  const store = await openEmbeddedStore({ dir: join(dir, 'store'), clock: systemClock });
  onEnd(t, () => store.close());
  const [key, other] = [generateKey(), generateKey()];
  const jwtKey = (of: typeof key) => ({ keyId: keyIdOf(spkiOf(of)) ?? '', publicKey: spkiOf(of) });
  const common = { store, clock: systemClock, refreshHintMs: 60_000, bundle: () => pki.bundle };
  const own = new OwnBundle({ ...common, jwtKeys: () => [jwtKey(key)] });
  const svid = pki.source('east', 'isthmus-system', 'control');
  const spec = { listen: '', profile: 'https_spiffe', refreshHintMs: 60_000 } as const;
  const listen = { host: '127.0.0.1', port: 0 };
  const server = new BundleServer({ spec, listen, svid: () => svid, bundle: () => own.current(), log: silentLog });
  await server.start();
  onEnd(t, () => server.dispose());
  const file = join(dir, 'mesh.json');
  await writeFile(file, (await own.current()).document);
  const subject = 'spiffe://mesh.test/ns/shop/sa/orders';
  const now = Date.now();
  const signed = { subject, audiences: ['payments'], cluster: 'east', issuedAt: now, expiresAt: now + 60_000, id: 'x' };
  const { token } = signJwtSvid(key, jwtKey(key).keyId, signed);
  const ask = (endpoint: string) =>
    client.ask(0, 'fetch-bundle', `https://127.0.0.1:${server.address.port}/`, 'mesh.test', file, endpoint, 'payments', token);
  assert.deepEqual(await ask('spiffe://mesh.test/ns/isthmus-system/sa/control'), {
    sequence: (await own.current()).sequence,
    hintSeconds: 60,
    authorities: pki.bundle.roots.map((root) => Buffer.from(root).toString('base64')),
    jwtKeys: [jwtKey(key).keyId],
    verified: subject,
  });
  assert.match(JSON.stringify(await ask('spiffe://mesh.test/ns/isthmus-system/sa/gateway')), /unexpected ID/);

  const partner = await ForeignDomain.create('partner.example');
  const leaf = await partner.leaf({ dns: ['localhost'] });
  const paths = { bundle: join(dir, 'partner.json'), cert: join(dir, 'web.pem'), key: join(dir, 'web.key'), ca: join(dir, 'ca.pem') };
  await writeFile(
    paths.bundle,
    formatBundle({ authorities: partner.bundle.roots, jwtKeys: [jwtKey(other)], sequence: 7, refreshHintMs: 60_000 }),
  );
  await writeFile(paths.cert, certificatesToPem(leaf.chain));
  await writeFile(paths.key, keyToPem(leaf.key));
  await writeFile(paths.ca, certificatesToPem(partner.bundle.roots));
  const serving = client.watch(0, 'serve-bundle', 'partner.example', paths.bundle, paths.cert, paths.key);
  const { port } = (await until('it serves', () => serving.lines[0])) as { port: number };
  const stop = new AbortController();
  const domains = new FederatedDomains({ store, clock: systemClock, random: () => 0.5, log: silentLog, onRefused: () => {} });
  onEnd(t, async () => {
    stop.abort();
    await domains.ended();
  });
  const bundleEndpoint = { profile: 'https_web', url: `https://localhost:${port}/`, caFile: paths.ca } as const;
  await domains.configure([{ trustDomain: 'partner.example', bundleEndpoint, namespaces: ['*'] }], stop.signal);
  assert.equal((await domains.refresh('partner.example')).known?.bundle.sequence, 7);
  const [theirs] = domains.bundles();
  assert.deepEqual(
    theirs?.roots.map((root) => Buffer.from(root).toString('hex')),
    partner.bundle.roots.map((root) => Buffer.from(root).toString('hex')),
  );
  const foreign = { ...signed, subject: 'spiffe://partner.example/bank', cluster: '' };
  const verdict = verifyJwtSvid(
    signJwtSvid(other, jwtKey(other).keyId, foreign).token,
    'payments',
    theirs === undefined ? [] : [theirs],
    Date.now(),
  );
  assert.ok(verdict.ok, JSON.stringify(verdict));
});
