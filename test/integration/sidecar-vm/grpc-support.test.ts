import assert from 'node:assert/strict';
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { credentials, status as grpcStatus, type ServiceError } from '@grpc/grpc-js';
import { loadRoot } from '../../../control/ca/index.ts';
import { generateKey, issueIntermediate, parseCertificate, spkiOf } from '../../../core/pki/index.ts';
import { anchorInstance } from '../../../core/xds/grpc/index.ts';
import { ads, discovery, envoyTypeUrls, native, nativeTypeUrls } from '../../../core/xds/index.ts';
import { saveAgentOptions } from '../../../sidecar-vm/files.ts';
import { AgentPlane, agentOptions, runTestAgent } from '../../support/agent-plane.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { readBlocks } from '../../support/docs-blocks.ts';
import { readBootstrap } from '../../support/grpc-oracle.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { onEnd } from '../../support/on-end.ts';
import { runCli } from '../../support/run-cli.ts';
import { until } from '../../support/until.ts';

interface Signer {
  readonly cluster: string;
  readonly certificate: Uint8Array;
}

/** A signing certificate of that cluster, by the root of the plane or by another. */
async function signer(plane: AgentPlane, cluster: string, foreign = false): Promise<Signer> {
  const { trustDomain } = plane.plane.authority;
  const root = foreign ? new MeshPki(trustDomain).root : await loadRoot(join(plane.dir, 'root'), trustDomain);
  const now = Date.now();
  return { cluster, certificate: issueIntermediate(root, spkiOf(generateKey()), cluster, trustDomain, now, 3_600_000).der };
}

/** The trust that the plane tells of, and one Listener for clients of Envoy's types. */
function serve(plane: AgentPlane, intermediates: readonly Signer[], deniedSerials: readonly string[] = []): void {
  const { trustDomain, roots } = plane.plane.authority.bundle();
  const bundle = native.Bundle.create({
    trustDomain,
    roots: roots.map((r) => Buffer.from(r)),
    intermediates: intermediates.map(({ cluster, certificate }) => ({ cluster, certificate: Buffer.from(certificate) })),
    deniedSerials: [...deniedSerials],
  });
  const value = native.Bundle.encode(bundle).finish();
  plane.source.set({
    [nativeTypeUrls.bundle]: [{ name: trustDomain, version: createHash('sha256').update(value).digest('hex'), value }],
    [envoyTypeUrls.listener]: [{ name: 'orders.shop.mesh.internal:8080', version: '1', value: Buffer.of() }],
  });
}

async function joined(t: TestContext, options: { svidTtlMs?: number } = {}) {
  const plane = await AgentPlane.start(t, options);
  const [east, west] = [await signer(plane, 'east'), await signer(plane, 'west')];
  serve(plane, [east, west]);
  const stateDir = await temporaryDir(t);
  const input = agentOptions({ stateDir, token: await plane.token('orders'), grpc: true });
  await saveAgentOptions(input);
  const { agent } = await runTestAgent(t, input);
  const dir = join(stateDir, 'certificates');
  const names = async () => (await readdir(dir)).filter((n) => !n.endsWith('.tmp')).sort();
  await until('anchors of both', async () => (await names()).includes('anchor-west.pem'));
  return { plane, stateDir, dir, names, agent, east, west };
}

test('certificates as files: owner-only, what belongs together in one file, renewed in place, without trust that was taken back', async (t) => {
  const { plane, dir, names, east } = await joined(t, { svidTtlMs: 4_000 });
  assert.deepEqual(await names(), ['anchor-east.pem', 'anchor-west.pem', 'cert.pem', 'identity.pem', 'key.pem', 'roots.pem', 'xds.sock']);
  for (const name of await names()) assert.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name);
  assert.equal((await stat(dir)).mode & 0o777, 0o700);
  const identity = () => readFile(join(dir, 'identity.pem'), 'utf8');
  const first = new X509Certificate(await identity());
  assert.match(first.subjectAltName ?? '', /URI:spiffe:\/\/.*\/ns\/.*\/sa\/orders, DNS:east\.cluster\./);
  const renewed = await until('another certificate', async () => {
    const now = new X509Certificate(await identity());
    return now.serialNumber === first.serialNumber ? undefined : now;
  });
  await until('the key of the same', async () => new X509Certificate(await identity()).checkPrivateKey(createPrivateKey(await identity())));
  assert.equal(renewed.issuer, first.issuer);
  serve(plane, [east]);
  await until('no anchor of west', async () => !(await names()).includes('anchor-west.pem'));
});

test('an anchor is made of nothing but what a root signed for that very cluster, and not of what is denied', async (t) => {
  const { plane, dir, names, east } = await joined(t);
  const named = async (pem: string) => new X509Certificate(await readFile(join(dir, pem))).subject;
  const denied = await signer(plane, 'denied');
  const parsed = parseCertificate(denied.certificate);
  assert.ok(parsed.ok);
  const bad = [{ cluster: 'north', certificate: east.certificate }, await signer(plane, 'south', true), denied];
  serve(plane, [east, ...bad, await signer(plane, 'last')], [parsed.value.serial]);
  // What is not trusted any more goes after what is new has come.
  await until('the good ones alone', async () => {
    const anchors = (await names()).filter((name) => name.startsWith('anchor-'));
    assert.deepEqual(anchors, ['anchor-east.pem', 'anchor-last.pem']);
    return true;
  });
  assert.match(await named('anchor-last.pem'), /CN=last of mesh\.test/);
});

test('isthmus grpc bootstrap: what grpc-js-xds reads, for the clusters there are, and what to do when something is missing', async (t) => {
  const { plane, stateDir, dir, names, east } = await joined(t);
  const run = (...args: string[]) => runCli(['grpc', 'bootstrap', '--state-dir', stateDir, ...args]);
  const client = await run();
  assert.equal(client.code, 0, client.err);
  const read = readBootstrap(JSON.parse(client.out));
  assert.match(read.node.id, /^spiffe:\/\/.*\/sa\/orders#vm-1\.grpc$/);
  assert.deepEqual(read.node.locality, { region: '', zone: '', sub_zone: '' });
  assert.deepEqual(Object.keys(read.certificateProviders).sort(), [anchorInstance('east'), anchorInstance('west'), 'anchors', 'identity']);
  assert.ok(Object.values(read.certificateProviders).every((p) => p.pluginName === 'file_watcher'));
  assert.equal(
    await readFile(join(dir, 'anchors.east+west.pem'), 'utf8'),
    (await Promise.all(['east', 'west'].map((c) => readFile(join(dir, `anchor-${c}.pem`), 'utf8')))).join(''),
  );

  const server = await run('--inbound', 'shop/orders:8080=0.0.0.0:50051', '--cluster', 'east', '--instance', 'orders-2', '-o', 'json');
  const { bootstrap, env } = JSON.parse(server.out) as { bootstrap: { node: { metadata: object } }; env: object };
  assert.deepEqual(env, { GRPC_XDS_EXPERIMENTAL_RBAC: 'true' });
  assert.deepEqual(bootstrap.node.metadata, {
    kind: 'agent',
    dialect: 'grpc',
    network: 'net-a',
    anchors: ['east'],
    inbound: { services: [{ namespace: 'shop', name: 'orders', port: 8080, protocol: 'grpc', address: '0.0.0.0', target: 50051 }] },
  });
  serve(plane, [east]);
  await until('the file of several follows', async () => {
    const [several, own] = await Promise.all(['anchors.east+west.pem', 'anchor-east.pem'].map((n) => readFile(join(dir, n), 'utf8')));
    return several === own && !(await names()).includes('anchor-west.pem');
  });

  const unknown = await run('--cluster', 'north');
  assert.equal(unknown.code, 2, unknown.err);
  assert.match(unknown.err, /the agent knows east/);
  const none = await runCli(['grpc', 'bootstrap', '--state-dir', await temporaryDir(t)]);
  assert.notEqual(none.code, 0);
  assert.match(none.err, /isthmus vm join TOKEN first/);
});

test('the socket carries state-of-the-world ADS as this machine, for its own identity alone, and again after an outage', async (t) => {
  const { plane, dir, east } = await joined(t);
  const socket = `unix:${join(dir, 'xds.sock')}`;
  const ask = (identity: string) => {
    const stream = new ads.AggregatedDiscoveryServiceClient(socket, credentials.createInsecure());
    onEnd(t, () => stream.close());
    const call = stream.streamAggregatedResources();
    const seen: { response?: discovery.DiscoveryResponse; error?: ServiceError } = {};
    call.on('data', (response: discovery.DiscoveryResponse) => {
      seen.response = response;
    });
    call.on('error', (error: ServiceError) => {
      seen.error = error;
    });
    const node = { id: `spiffe://mesh.test/ns/shop/sa/${identity}#c`, metadata: { kind: 'agent', dialect: 'grpc', network: 'net-a' } };
    const request = { node, typeUrl: envoyTypeUrls.listener, resourceNames: ['orders.shop.mesh.internal:8080'] };
    call.write(discovery.DiscoveryRequest.create(request));
    return seen;
  };
  const [first, other] = [ask('orders'), ask('payments')];
  await until('an answer', () => first.response ?? first.error);
  assert.equal(first.response?.resources.length, 1);
  await until('a refusal', () => other.error);
  assert.equal(other.error?.code, grpcStatus.PERMISSION_DENIED, other.error?.details);
  await plane.stop();
  await until('the end', () => first.error);
  await plane.start();
  serve(plane, [east]);
  await until('an answer again', async () => {
    const again = ask('orders');
    return until('it', () => again.response ?? again.error).then((it) => 'resources' in it);
  });
});

test('docs/proxyless-grpc.md: its commands', async (t) => {
  const { plane, stateDir } = await joined(t);
  const [caller = '', server = '', bootstraps = '', run = '', ...more] = await readBlocks('docs/proxyless-grpc.md', 'sh');
  assert.deepEqual(more, []);
  assert.match(run, /GRPC_XDS_EXPERIMENTAL_RBAC=true node server\.js/);
  for (const line of [caller, server]) {
    const dir = await temporaryDir(t);
    const [, ...args] = (line.split(' < ')[0] ?? '').trim().split(' ');
    const given = args.map((arg) => (arg === '-' ? '' : arg)).filter(Boolean);
    const done = await runCli([...given, await plane.token('orders'), '--state-dir', dir, '--save-only']);
    assert.equal(done.code, 0, done.err);
    const saved = JSON.parse(await readFile(join(dir, 'agent.json'), 'utf8')) as { grpc: boolean };
    assert.equal(saved.grpc, true);
  }
  for (const line of bootstraps.trim().split('\n')) {
    const [, ...args] = (line.split(' > ')[0] ?? '').split(' ');
    const done = await runCli([...args, '--state-dir', stateDir]);
    assert.equal(done.code, 0, done.err);
    readBootstrap(JSON.parse(done.out));
  }
});
