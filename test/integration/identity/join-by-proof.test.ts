import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatJoinToken, parseJoinToken } from '../../../core/identity/index.ts';
import { formatSpiffeId } from '../../../core/model/index.ts';
import { attestorFor, audience, oidcSpec, rule } from '../../support/attest/attestor-scene.ts';
import { testAuthority } from '../../support/attest/client-certificates.ts';
import { joinByProof } from '../../support/attest/join-by-proof.ts';
import { startTokenIssuer } from '../../support/attest/token-issuer.ts';
import { startControlPlane, temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { json } from '../../support/object-scene.ts';
import { onEnd } from '../../support/on-end.ts';
import { RealControl } from '../../support/real-control.ts';
import { runCli } from '../../support/run-cli.ts';
import { until } from '../../support/until.ts';

const spiffeId = 'spiffe://mesh.test/ns/shop/sa/orders';

test('after an outage longer than its SVID lives, a machine comes back with the token that its file holds by then', async (t) => {
  const issuer = await startTokenIssuer(t, { now: Date.now, audience });
  const options = {
    dir: await temporaryDir(t),
    port: await deadPort(),
    svidTtlMs: 1_500,
    attestors: (parts: Parameters<typeof attestorFor>[0]) => [
      attestorFor(parts, 'shop/ci', { attestor: oidcSpec(issuer), sources: [], rules: [rule()] }),
    ],
  };
  const plane = await startControlPlane(options);
  const parsed = parseJoinToken(await plane.token());
  assert.ok(parsed.ok);
  const token = formatJoinToken({ ...parsed.value, secret: '', attestor: 'shop/ci' });
  const file = join(await temporaryDir(t), 'token');
  const warnings: string[] = [];
  const joining = joinByProof(t, { token, proof: { file }, warnings });
  await until('it has looked for its proof', () => warnings.some((line) => line.includes('cannot be read')));
  const first = await issuer.token({ exp: Math.floor(Date.now() / 1_000) + 5 });
  await writeFile(file, `${first}\n`);
  const identity = await joining;
  assert.equal(formatSpiffeId(identity.current().spiffeId), spiffeId);
  await plane.stop();
  await until('the SVID to end', () => identity.status().state === 'expired');
  issuer.down = true;
  await writeFile(file, await issuer.token());
  const again = await startControlPlane({ ...options, svidTtlMs: 60_000 });
  onEnd(t, () => again.stop());
  await until('a new SVID', () => identity.status().state === 'valid');
  assert.match(again.lines.join('\n'), /the keys of an issuer could not be fetched: those known before count on|SVID issued/);
  assert.ok(!warnings.join('\n').includes(first.slice(-30)));
});

test('a policy of the configuration files, a token of the API, a certificate of the company: an agent is saved and joins, and a policy that is gone lets nobody in', async (t) => {
  const dir = await temporaryDir(t);
  const authority = await testAuthority(dir, 'machines');
  await authority.issue('vm-1');
  const document = (when: string) =>
    JSON.stringify({
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'AttestationPolicy',
      metadata: { name: 'machines', namespace: 'shop' },
      spec: {
        attestor: { type: 'x509', authorities: authority.certificate },
        rules: [{ name: 'vms', when, grant: { serviceAccount: 'orders', services: [{ name: 'orders', ports: [8080] }] } }],
      },
    });
  const east = await RealControl.make(join(dir, 'east'), 'east', document("claims.subject.CN == 'vm-1'"), {
    grpc: { listen: `127.0.0.1:${await deadPort()}` },
  });
  onEnd(t, () => east.stop());
  await east.start();
  const { token, type } = json<{ token: string; type: string }>(
    await east.cli('vm', 'token', '--attestor', 'shop/machines', '--output', 'json'),
  );
  assert.equal(type, 'x509');
  const missing = await east.cli('vm', 'token', '--attestor', 'machines');
  assert.notEqual(missing.code, 0);
  assert.match(missing.err, /there is no AttestationPolicy isthmus-system\/machines/);
  const [cert, key] = [join(dir, 'vm-1-cert.pem'), join(dir, 'vm-1-key.pem')];
  const identity = await joinByProof(t, { token, proof: { cert, key } });
  assert.equal(formatSpiffeId(identity.current().spiffeId), spiffeId);

  const stateDir = join(dir, 'agent');
  const flags = ['--address', '127.0.0.1', '--state-dir', stateDir, '--save-only'];
  const without = await runCli(['vm', 'join', token, ...flags]);
  assert.match(without.err, /names the attestor shop\/machines and holds no secret/);
  const half = await runCli(['vm', 'join', token, '--proof-cert', cert, ...flags]);
  assert.match(half.err, /a certificate with its key/);
  const saved = await runCli(['vm', 'join', token, '--proof-cert', cert, '--proof-key', key, ...flags]);
  assert.equal(saved.code, 0, saved.err);
  assert.deepEqual((JSON.parse(await readFile(join(stateDir, 'agent.json'), 'utf8')) as { attest: unknown }).attest, { cert, key });

  await east.write('more.yaml', document("claims.subject.CN == 'another'"));
  await until('the new rule holds', async () => {
    const refused = await joinByProof(t, { token, proof: { cert, key }, instance: 'vm-2' }).then(
      () => '',
      (error: { code: string }) => error.code,
    );
    return refused === 'PERMISSION_DENIED';
  });
  assert.match(await east.metrics(), /isthmus_refusals_total\{what="attestation",reason="no-rule",isthmus_cluster="east"\} [1-9]/);
  await rm(join(east.config, 'more.yaml'));
  await until('the policy is gone', async () => {
    const refused = await joinByProof(t, { token, proof: { cert, key }, instance: 'vm-3' }).then(
      () => '',
      (error: { code: string }) => error.code,
    );
    return refused === 'IDENTITY_INVALID';
  });
});
