import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readBlocks } from '../../support/docs-blocks.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';

const page = 'docs/join-clusters.md';

/** A machine of the page: its commands run in one folder, with the product on the PATH and a context of their own. */
class Reader {
  readonly folder: string;
  readonly #env: NodeJS.ProcessEnv;
  #daemon: ChildProcess | undefined;

  constructor(folder: string, name: string, bin: string) {
    this.folder = folder;
    const PATH = `${bin}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
    this.#env = { ...process.env, PATH, ISTHMUS_CONTEXT_FILE: join(folder, `${name}-context.yaml`) };
  }

  async run(commands: string): Promise<string> {
    const child = spawn('bash', ['--norc', '-euo', 'pipefail', '-c', commands], { cwd: this.folder, env: this.#env });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
    }
    const [code] = await once(child, 'close');
    assert.equal(code, 0, `${commands}\n${said}`);
    return said;
  }

  /** A command that does not end. */
  start(command: string): void {
    this.#daemon = spawn('bash', ['--norc', '-c', `exec ${command.trim()}`], { cwd: this.folder, env: this.#env, stdio: 'ignore' });
  }

  reload(): void {
    this.#daemon?.kill('SIGHUP');
  }

  async stop(): Promise<void> {
    if (this.#daemon === undefined || this.#daemon.exitCode !== null) return;
    this.#daemon.kill('SIGTERM');
    await once(this.#daemon, 'exit');
  }
}

async function prepare(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-docs-'));
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const main = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));
  await writeFile(join(bin, 'isthmus'), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
  await chmod(join(bin, 'isthmus'), 0o755);
  const ports = { east: await deadPort(), west: await deadPort() };
  const here = (text: string, own: number) =>
    text
      .replace('listen: 0.0.0.0:15012', `listen: 127.0.0.1:${own}`)
      .replaceAll(/(east|west)\.example\.org:15012/g, (_all, name: 'east' | 'west') => `127.0.0.1:${ports[name]}`);
  const yaml = await readBlocks(page, 'yaml');
  for (const [i, name] of (['east', 'west'] as const).entries()) {
    await mkdir(join(folder, name));
    const extra = `  api: { listen: 127.0.0.1:${await deadPort()} }\n  health: { listen: 127.0.0.1:${await deadPort()} }\n`;
    await writeFile(join(folder, name, 'mesh.yaml'), here(yaml[i] ?? '', ports[name]) + extra);
  }
  const [east, west] = [new Reader(folder, 'east', bin), new Reader(folder, 'west', bin)];
  t.after(async () => {
    await Promise.all([east.stop(), west.stop()]);
    await rm(folder, { recursive: true, force: true });
  });
  const sh = (await readBlocks(page, 'sh')).map((block) => here(block, 0));
  return { folder, east, west, sh, exports: yaml[2] ?? '' };
}

test('docs/join-clusters.md: every command and file on it, with two control planes', async (t) => {
  const { folder, east, west, sh, exports } = await prepare(t);
  const [
    initEast = '',
    runEast = '',
    initWest = '',
    runWest = '',
    invite = '',
    joinWest = '',
    inviteDialling = '',
    drift = '',
    partWest = '',
    partEast = '',
  ] = sh;
  await east.run(initEast);
  east.start(runEast);
  await west.run(initWest);
  west.start(runWest);
  await until('east serves', () => east.run('isthmus peer list'));
  await until('west serves', () => west.run('isthmus peer list'));

  await east.run(invite);
  await west.run(joinWest);
  await until('east lists west', async () => /west\s+connected/.test(await east.run('isthmus peer list')));
  await until('west lists east', async () => /east\s+connected/.test(await west.run('isthmus peer list')));

  for (const side of [east, west]) await until('both hold the same', () => side.run(drift));
  await writeFile(join(folder, 'east', 'exports.yaml'), exports);
  east.reload();
  const taken = async () => JSON.parse(await east.run('isthmus status --output json')) as { configViolations: readonly string[] };
  await until('the export policy is taken', async () => (await taken()).configViolations.length === 0);
  await east.run(partWest);
  await west.run(partEast);
  assert.doesNotMatch(await east.run('isthmus peer list'), /west/);

  await east.run(inviteDialling);
  await west.run(joinWest.split('\n')[0] ?? '');
  await until('joined once more, with east dialling', async () => /west\s+connected/.test(await east.run('isthmus peer list')));
});
