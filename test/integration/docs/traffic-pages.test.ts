import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { RevisionList, Traffic } from '../../../core/admin/index.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { readBlocks } from '../../support/docs-blocks.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { json, running } from '../../support/object-scene.ts';
import { onEnd } from '../../support/on-end.ts';
import { RealControl } from '../../support/real-control.ts';
import { until } from '../../support/until.ts';

const main = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));

const reviews = (v2: number) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews.shop.mesh.internal]
  http:
    - route:
        - {destination: {host: reviews.shop.mesh.internal, subset: v1}, weight: ${100 - v2}}
        - {destination: {host: reviews.shop.mesh.internal, subset: v2}, weight: ${v2}}
`;
const subsets = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: shop}
spec:
  host: reviews.shop.mesh.internal
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
`;

/** The page's commands as its reader types them: `isthmus` and `kubectl` on the PATH, in a folder of his own. */
async function shellOf(control: RealControl) {
  const bin = join(control.dir, 'bin');
  await mkdir(bin);
  const command = async (name: string, text: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(bin, name), 0o755);
  };
  await command('isthmus', `exec "${process.execPath}" "${main}" "$@"`);
  // A List of one object.
  await command('kubectl', "printf 'apiVersion: v1\\nkind: List\\nitems:\\n'\nsed 's/^/  /; 1s/^ /-/' reviews.yaml");
  const env = { ...process.env, ...control.cliEnvironment(), PATH: `${bin}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };
  const run = async (commands: string) =>
    (await promisify(execFile)('bash', ['--norc', '-euo', 'pipefail', '-c', commands], { cwd: control.dir, env })).stdout;
  return { run, env };
}

test('docs/apply-changes.md: every command on it', async (t) => {
  const control = await running(t);
  const { run } = await shellOf(control);
  const file = (v2: number) => writeFile(join(control.dir, 'reviews.yaml'), reviews(v2));
  const [plan = '', apply = '', tentative = '', history = '', get = '', drift = '', ...more] = await readBlocks(
    'docs/apply-changes.md',
    'sh',
  );
  assert.equal(more.length, 0);
  await file(10);
  await mkdir(join(control.dir, 'routing'));
  await writeFile(join(control.dir, 'routing', 'subsets.yaml'), subsets);
  assert.match(await run(`${plan.trim()} || [ $? = 2 ]`), /VirtualService shop\/reviews/);
  await run(
    apply.replace(
      'half of the reviews to v2"',
      'half of the reviews to v2"; sed -i "s/weight: 90/weight: 91/; s/weight: 10/weight: 9/" reviews.yaml',
    ),
  );
  await file(50);
  const [wait = '', confirm = '', ...others] = tentative.trim().split('\n');
  assert.equal(others.length, 0);
  const waited = run(wait);
  const revisions = async () => json<RevisionList>(await control.cli('history', '-o', 'json'));
  await until('the tentative change', async () => (await revisions()).revisions[0]?.state === 'tentative');
  await run(confirm);
  await waited;
  const { newest } = await revisions();
  const said = await run(history.replaceAll('12', String(newest)).replaceAll('11', String(newest - 1)));
  assert.match(said, /half of the reviews to v2/);
  assert.match(await run(get), /weight: 91/);
  assert.match(await run(drift), /There is no other cluster/);
  assert.doesNotMatch((await control.cli('get')).out, /VirtualService/);
});

test('docs/ingress.md: every command on it', async (t: TestContext) => {
  const at = `127.0.0.1:${await deadPort()}`;
  const control = await RealControl.make(await temporaryDir(t), 'east', '', { grpc: { listen: at, advertise: [at] } });
  onEnd(t, () => control.stop());
  await control.start();
  const { run, env } = await shellOf(control);
  const [commands = '', ...more] = await readBlocks('docs/ingress.md', 'sh');
  assert.equal(more.length, 0);
  const [token = '', gateway = '', ...others] = commands.trim().split('\n');
  assert.equal(others.length, 0);
  await run(token);
  // Its ports and its folder are this test's.
  const here = `${gateway.replace('/var/lib/isthmus-ingress', 'ingress')} --health 127.0.0.1:0 --metrics 127.0.0.1:0 --listen 127.0.0.1:0`;
  const child = spawn('bash', ['--norc', '-c', `exec ${here}`], { cwd: control.dir, env, stdio: 'ignore' });
  onEnd(t, async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  });
  await until('it to be known', async () => /ingress/.test((await control.cli('status', '-o', 'json')).out));
  assert.equal(child.exitCode, null);
});

test('docs/traffic-telemetry.md: every command on it', async (t) => {
  const control = await running(t);
  const { run } = await shellOf(control);
  const [commands = '', ...more] = await readBlocks('docs/traffic-telemetry.md', 'sh');
  assert.equal(more.length, 0);
  assert.equal((await run(commands)).trim().split('\n').length, 4);
  const traffic = JSON.parse(await run('cat traffic.json')) as Traffic;
  assert.deepEqual([traffic.reporters, traffic.flows], [0, []]);
});
