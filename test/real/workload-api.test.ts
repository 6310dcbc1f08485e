import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import 'reflect-metadata';
import * as peculiar from '@peculiar/x509';
import { certificatesToPem, parseCertificate } from '../../core/pki/index.ts';
import { AgentPlane, agentOptions, runTestAgent } from '../support/agent-plane.ts';
import { temporaryDir } from '../support/control-plane.ts';
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
