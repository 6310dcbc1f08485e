import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { open, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { repositoryRoot } from '../support/deploy-files.ts';
import { makeWorkFolder, removeWorkFolder } from './servers/work-folder.ts';

const run = promisify(execFile);
/** `e_machine` of an ELF header. */
const aarch64 = 0xb7;
/** How native code of other systems begins: PE, Mach-O of 64 bits, Mach-O of several processors. */
const otherSystems = ['4d5a', 'cffaedfe', 'cafebabe'];

async function packages(t: TestContext): Promise<{ readonly tree: string; readonly archive: string; readonly deb: string }> {
  const folder = await makeWorkFolder('packages-arm64');
  t.after(() => removeWorkFolder(folder));
  const args = [join(repositoryRoot, 'scripts/package.mjs'), '--fast', '--arch', 'arm64', '--out', folder];
  const { stdout } = await run(process.execPath, args, { timeout: 280_000 });
  const [archive = '', deb = ''] = stdout.split('\n').map((line) => line.replace(/ [0-9.]+ MB$/, ''));
  // Scripts are most of the files, and no native code.
  const scripts = ['js', 'cjs', 'mjs', 'ts', 'cts', 'mts', 'map', 'json', 'md', 'proto'].map((kind) => `--exclude=*.${kind}`);
  await run('tar', ['-xzf', archive, '-C', folder, ...scripts]);
  return { tree: join(folder, 'isthmus-0.1.0-linux-arm64'), archive, deb };
}

/** What runs without being read as a script: the path, and whose it is. */
async function nativeCode(tree: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(tree, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(20), 0, 20, 0).finally(() => file.close());
    if (bytesRead < 20) continue;
    if (buffer.readUInt32BE(0) === 0x7f454c46) {
      found[relative(tree, path)] = buffer.readUInt16LE(18) === aarch64 ? 'aarch64' : `e_machine ${buffer.readUInt16LE(18)}`;
    } else if (otherSystems.some((magic) => buffer.toString('hex').startsWith(magic))) found[relative(tree, path)] = 'another system';
  }
  return found;
}

test('the packages for arm64 are made on any machine: Node and all native code in them are of arm64 with glibc, and nothing else', {
  timeout: 300_000,
}, async (t) => {
  const { tree, archive, deb } = await packages(t);
  const native = await nativeCode(tree);
  assert.deepEqual([...new Set(Object.values(native))], ['aarch64'], JSON.stringify(native, undefined, 1));
  const paths = Object.keys(native).sort();
  for (const needed of [
    'bin/node',
    'node_modules/@koromix/koffi-linux-arm64/linux_arm64/koffi.node',
    'node_modules/classic-level/prebuilds/linux-arm64/classic-level.armv8.node',
  ])
    assert.ok(paths.includes(needed), `${needed} is missing: ${paths}`);
  assert.deepEqual(
    paths.filter((path) => /musl|x64|android|darwin|ios/.test(path)),
    [],
  );

  assert.equal((await run('dpkg-deb', ['-f', deb, 'Architecture'])).stdout, 'arm64\n');
  const listed = async (command: string, args: readonly string[], prefix: RegExp) => {
    const { stdout } = await run(command, [...args], { maxBuffer: 64 << 20 });
    return stdout
      .split('\n')
      .filter((line) => prefix.test(line))
      .map((line) => line.replace(prefix, ''))
      .sort();
  };
  const inDeb = await listed('sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" | tar -t', 'sh', deb], /^\.\/opt\/isthmus\//);
  const inArchive = await listed('tar', ['-tzf', archive], /^isthmus-0\.1\.0-linux-arm64\//);
  assert.ok(inArchive.includes('build/cli/agent-bundle.cjs'));
  assert.deepEqual(inDeb, inArchive, 'both hold the same');
});
