import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDir } from '../support/control-plane.ts';
import { repositoryRoot } from '../support/deploy-files.ts';

const run = promisify(execFile);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the packages' agent there, to its end. */
async function agent(folder: string, ...args: readonly string[]): Promise<Ended> {
  try {
    return { code: 0, ...(await run(process.execPath, [join(folder, 'build/cli/agent.cjs'), ...args])) };
  } catch (error) {
    return error as Ended;
  }
}

/** A folder as packages lay it out, with the bundle alone. */
async function bundled(t: TestContext): Promise<string> {
  const folder = await temporaryDir(t);
  await mkdir(join(folder, 'build/cli'), { recursive: true });
  await copyFile(join(repositoryRoot, 'package.json'), join(folder, 'package.json'));
  await symlink(join(repositoryRoot, 'node_modules'), join(folder, 'node_modules'));
  await run(process.execPath, [join(repositoryRoot, 'scripts/bundle-agent.mjs'), '--out', join(folder, 'build/cli')]);
  return folder;
}

test('the agent of packages is one script that says what the agent says', async (t) => {
  const folder = await bundled(t);
  const away = join(folder, 'nobody');
  const asked = ['agent', '--state-dir', away];
  const plain = await run(process.execPath, [join(repositoryRoot, 'build/cli/main.js'), ...asked]).catch((error: Ended) => error);
  const cacheFile = join(folder, 'build/cli/agent-bundle.cjs.cache');

  await t.test('without a code cache', async () => {
    const { code, stderr } = await agent(folder, ...asked);
    assert.match(stderr, /nobody\/agent\.json: is not there: run isthmus vm join TOKEN first/);
    assert.deepEqual({ code, stderr }, { code: (plain as Ended).code, stderr: plain.stderr });
  });

  await t.test('and writes one, by which it goes on saying the same', async () => {
    assert.equal((await agent(folder, '--write-code-cache', ...asked)).code, 0);
    const written = await readFile(cacheFile);
    assert.ok(written.length > 100_000, `${written.length} bytes`);
    assert.equal((await agent(folder, ...asked)).stderr, plain.stderr);
    assert.deepEqual(await readFile(cacheFile), written, 'an ordinary start writes nothing');
  });

  const bundle = join(folder, 'build/cli/agent-bundle.cjs');
  const text = await readFile(bundle, 'latin1');
  const changed = text.replace('is not there: run isthmus vm join TOKEN first', 'is not here: run isthmus vm join TOKEN first!');
  assert.equal(changed.length, text.length);
  assert.notEqual(changed, text);

  await t.test('another version of the same length is not run by the cache of the one before', async () => {
    await writeFile(bundle, changed.replace(/^\/\/ [0-9a-f]{64}/, `// ${'ab'.repeat(32)}`), 'latin1');
    assert.match((await agent(folder, ...asked)).stderr, /is not here: run/);
  });

  for (const [title, damage] of [
    ['cut short', (cache: Buffer) => cache.subarray(0, cache.length / 2)],
    ['empty', () => Buffer.alloc(0)],
    ['its digests alone', (cache: Buffer) => cache.subarray(0, 64)],
    ['one bit wrong', (cache: Buffer) => Buffer.from(cache.map((byte, i) => (i === cache.length - 100 ? byte ^ 1 : byte)))],
  ] as const) {
    await t.test(`a cache that is damaged is none: ${title}`, async () => {
      await writeFile(bundle, text, 'latin1');
      await agent(folder, '--write-code-cache', ...asked);
      await writeFile(cacheFile, damage(await readFile(cacheFile)));
      assert.equal((await agent(folder, ...asked)).stderr, plain.stderr);
    });
  }

  await t.test('where none can be written it says so, and fails', async () => {
    await rm(cacheFile);
    await mkdir(cacheFile);
    const { code, stderr } = await agent(folder, '--write-code-cache', ...asked);
    assert.equal(code, 1);
    assert.match(stderr, /the agent will start more slowly: /);
  });
});
