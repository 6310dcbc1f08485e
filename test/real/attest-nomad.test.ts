import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { decodeJwt } from 'jose';
import { attestationAudience } from '../../core/config/index.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import { cel } from '../support/attest/attestor-scene.ts';
import { joinByProof } from '../support/attest/join-by-proof.ts';
import { temporaryDir } from '../support/control-plane.ts';
import { deadPort } from '../support/mesh-sockets.ts';
import { json } from '../support/object-scene.ts';
import { onEnd } from '../support/on-end.ts';
import { RealControl } from '../support/real-control.ts';
import { until } from '../support/until.ts';
import { type RunningNomad, startNomad } from './servers/index.ts';

let nomad: RunningNomad;
before(async () => {
  nomad = await startNomad();
});
after(() => nomad?.stop());

const audience = attestationAudience('mesh.test', 'east');
const hour = 3_600_000_000_000;
/** One for us, one for another cluster, one that never ends. */
const identities = [
  { Name: 'isthmus', Audience: [audience], File: true, TTL: hour },
  { Name: 'west', Audience: [attestationAudience('mesh.test', 'west')], File: true, TTL: hour },
  { Name: 'endless', Audience: [audience], File: true },
];

/** Runs a task that lays its workload identities where the test reads them. */
async function tokensOf(job: string, dir: string): Promise<Record<string, string>> {
  const copy = identities.map(({ Name }) => `cp "$NOMAD_SECRETS_DIR/nomad_${Name}.jwt" ${join(dir, `${job}-${Name}`)}`).join(' && ');
  const command = `${copy} && touch ${join(dir, `${job}-ready`)} && exec sleep 1d`;
  const task = {
    Name: 'web',
    Driver: 'raw_exec',
    Config: { command: '/bin/sh', args: ['-c', command] },
    Identities: identities,
    Resources: { CPU: 20, MemoryMB: 32 },
  };
  const group = { Name: 'main', Count: 1, EphemeralDisk: { SizeMB: 200 }, Tasks: [task] };
  await nomad.api('POST', '/v1/jobs', {
    Job: { ID: job, Name: job, Type: 'service', Datacenters: [nomad.datacenter], TaskGroups: [group] },
  });
  const read = (name: string) => readFile(join(dir, `${job}-${name}`), 'utf8');
  await until(`the task of ${job} runs`, () =>
    read('ready').then(
      () => true,
      () => false,
    ),
  );
  return Object.fromEntries(await Promise.all(identities.map(async ({ Name }) => [Name, (await read(Name)).trim()] as const)));
}

test('a task becomes what its workload identity, signed by its Nomad, is let to be; also while Nomad is away', async (t) => {
  const dir = await temporaryDir(t);
  const { isthmus = '', west = '', endless = '' } = await tokensOf('orders', dir);
  const other = await tokensOf('billing', dir);
  const policy = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'AttestationPolicy',
    metadata: { name: 'nomad', namespace: 'isthmus-system' },
    spec: {
      attestor: { type: 'nomad', url: nomad.url },
      rules: [
        {
          name: 'orders',
          when: "claims.nomad_namespace == 'default' && claims.nomad_job_id == 'orders' && claims.nomad_task == 'web'",
          grant: {
            namespace: 'shop',
            serviceAccount: cel('claims.nomad_job_id'),
            services: [{ name: cel('claims.nomad_job_id'), ports: [8080] }],
          },
        },
      ],
    },
  };
  const port = await deadPort();
  const east = await RealControl.make(join(dir, 'east'), 'east', JSON.stringify(policy), { grpc: { listen: `127.0.0.1:${port}` } });
  onEnd(t, () => east.stop());
  await east.start();
  const { token } = json<{ token: string }>(await east.cli('vm', 'token', '--attestor', 'nomad', '--output', 'json'));
  const file = join(dir, 'token');
  const show = async (proof: string, stateDir?: string) => {
    await writeFile(file, proof);
    const at = stateDir === undefined ? {} : { dir: stateDir };
    return joinByProof(t, { token, proof: { file }, ...at }).then(
      (identity) => formatSpiffeId(identity.current().spiffeId),
      (error: { code: string }) => error.code,
    );
  };
  const stateDir = join(dir, 'agent');
  const mine = 'spiffe://mesh.test/ns/shop/sa/orders';
  assert.equal(await show(isthmus, stateDir), mine);
  assert.equal(await show(isthmus), 'IDENTITY_INVALID', 'another machine has another key');
  assert.equal(await show(west), 'IDENTITY_INVALID', 'for another cluster');
  assert.equal(decodeJwt(endless).exp, undefined);
  assert.equal(await show(endless), 'IDENTITY_INVALID', 'without an end');
  assert.equal(await show(other['isthmus'] ?? ''), 'PERMISSION_DENIED', 'of another job');
  const [header, payload, signature = ''] = isthmus.split('.');
  assert.equal(await show(`${header}.${payload}.${[...signature].reverse().join('')}`), 'IDENTITY_INVALID', 'forged');
  nomad.server.suspend();
  try {
    // Neither Nomad nor the memory of before: the keys are in the store.
    await east.stop();
    await east.start();
    await rm(join(stateDir, 'svid.json'));
    const second = (await readFile(join(dir, 'orders-isthmus'), 'utf8')).trim();
    assert.equal(await show(second, stateDir), mine);
  } finally {
    nomad.server.resume();
  }
  const counted = await east.metrics();
  assert.doesNotMatch(counted, /reason="issuer-unavailable"/);
});
