import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { openLiveConfig } from '../../../control/config/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import type { Violation } from '../../../core/validate.ts';
import { until } from '../../support/until.ts';

const mesh = (agentTtl: string) => `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: east}
spec: {cluster: east, trustDomain: mesh.test, stateDir: state, catalog: {agentTtl: ${agentTtl}}}
`;

/** As editors and ConfigMaps do: a new file under the old name. One that is written over may be read while it is empty. */
async function replace(file: string, text: string) {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

async function setUp(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-config-'));
  const file = join(dir, 'isthmus.yaml');
  const folder = join(dir, 'more');
  await mkdir(folder);
  await writeFile(file, mesh('10s'));
  const controller = new AbortController();
  const refused: (readonly Violation[])[] = [];
  const live = await openLiveConfig({ paths: [file, folder], clock: systemClock, onRefused: (v) => refused.push(v) }, controller.signal);
  t.after(async () => {
    controller.abort();
    await rm(dir, { recursive: true });
  });
  return { file, folder, live, refused, controller };
}

test('keeps the last good configuration while the files are bad, and takes the next good one', async (t) => {
  const { file, live, refused } = await setUp(t);
  await replace(file, mesh('soon'));
  await until('the bad file is refused', () => refused.length > 0);
  assert.equal(live.violations[0]?.path, 'spec.catalog.agentTtl');
  assert.equal(live.violations[0]?.line, 4);
  assert.equal(live.current.mesh.spec.catalog.agentTtlMs, 10_000);
  await replace(file, mesh('20s'));
  await until('the good file is taken', () => live.current.mesh.spec.catalog.agentTtlMs === 20_000);
  assert.deepEqual(live.violations, []);
});

test('the same mistakes are told once, whatever else happens in the folder, and again when asked', async (t) => {
  const { file, folder, live, refused } = await setUp(t);
  await replace(file, mesh('soon'));
  await until('the bad file is refused', () => refused.length > 0);
  // A log beside the configuration that grows with each refusal would otherwise never come to rest.
  for (let i = 0; i < 3; i++) {
    await writeFile(join(folder, '..', 'control.log'), `refused ${i}`);
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  assert.equal(refused.length, 1);
  await live.reload();
  assert.equal(refused.length, 2);
});

test('takes objects from a folder, and says each change once', async (t) => {
  const { folder, live, controller } = await setUp(t);
  const seen: number[] = [];
  const reader = (async () => {
    for await (const config of live.changes) seen.push(config.objects.length);
  })();
  await until('the first is seen', () => seen.length === 1);
  await writeFile(
    join(folder, 'peer.yaml'),
    'apiVersion: isthmus.dev/v1alpha1\nkind: Peer\nmetadata: {name: west}\nspec: {cluster: west}\n',
  );
  await until('the peer is seen', () => seen.length === 2);
  await live.reload();
  await live.reload();
  controller.abort();
  await reader;
  assert.deepEqual(seen, [1, 2]);
});

test('the first load lists everything in one error', async () => {
  const signal = new AbortController().signal;
  const missing = openLiveConfig({ paths: ['/nonexistent/isthmus.yaml'], clock: systemClock, onRefused: () => undefined }, signal);
  await assert.rejects(missing, { code: 'CONFIG_INVALID', message: /nonexistent.*cannot be read: ENOENT/s });
});

test('a folder is read in JSON too, and what it holds besides is said once', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-config-'));
  const controller = new AbortController();
  t.after(async () => {
    controller.abort();
    await rm(dir, { recursive: true });
  });
  const spec = { cluster: 'east', trustDomain: 'mesh.test', stateDir: 'state' };
  const object = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'Mesh', metadata: { name: 'east' }, spec };
  await writeFile(join(dir, 'isthmus.json'), JSON.stringify(object, undefined, '\t'));
  for (const name of ['peers.toml', '.isthmus.json.swp', 'isthmus.json~']) await writeFile(join(dir, name), 'nothing');
  const told: string[] = [];
  const onLeftOut = (paths: readonly string[]) => void told.push(...paths);
  const live = await openLiveConfig({ paths: [dir], clock: systemClock, onRefused: () => undefined, onLeftOut }, controller.signal);
  assert.equal(live.current.mesh.spec.cluster, 'east');
  await live.reload();
  await writeFile(join(dir, 'more.txt'), 'nothing');
  await live.reload();
  assert.deepEqual(told, [join(dir, 'peers.toml'), join(dir, 'more.txt')]);
});
