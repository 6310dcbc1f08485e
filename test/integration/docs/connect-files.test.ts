import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readBlocks } from '../../support/docs-blocks.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';

const page = 'docs/connect-files.md';

test(`${page}: every file and command on it`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-docs-'));
  let daemon: ChildProcess | undefined;
  try {
    const main = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));
    await mkdir(join(folder, 'bin'));
    await mkdir(join(folder, 'services'));
    await writeFile(join(folder, 'bin', 'isthmus'), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
    await chmod(join(folder, 'bin', 'isthmus'), 0o755);
    const PATH = `${join(folder, 'bin')}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
    const env = { ...process.env, PATH, ISTHMUS_CONTEXT_FILE: join(folder, 'context.yaml') };
    const run = async (commands: string) =>
      (await promisify(execFile)('bash', ['--norc', '-euo', 'pipefail', '-c', commands], { cwd: folder, env })).stdout;

    const [mesh = '', service = ''] = await readBlocks(page, 'yaml');
    // The page uses the usual ports; a test cannot know that they are free.
    const ports = `  grpc: { listen: 127.0.0.1:0 }\n  api: { listen: 127.0.0.1:${await deadPort()} }\n  health: { listen: 127.0.0.1:0 }\n`;
    await writeFile(join(folder, 'isthmus.yaml'), mesh.replace('  identity:', `${ports}  identity:`));
    await writeFile(join(folder, 'services', 'payments.yaml'), service);
    const [init = '', start = '', status = ''] = await readBlocks(page, 'sh');
    await run(init);
    daemon = spawn('bash', ['--norc', '-c', `exec ${start.trim()}`], { cwd: folder, env, stdio: 'ignore' });
    const seen = await until('the service in status', async () => {
      const text = await run(status);
      return /payments/.test(text) ? text : undefined;
    });
    assert.match(seen, /east\s+file\/services\s+file\s+live/);
    const { services } = JSON.parse(await run('isthmus status --output json')) as { services: { endpoints: unknown }[] };
    assert.deepEqual(
      services.map((s) => s.endpoints),
      [[{ cluster: 'east', runtime: 'file', source: 'file/services', network: 'east', healthy: 1, unhealthy: 0, draining: 1, stale: 0 }]],
    );
  } finally {
    if (daemon !== undefined && daemon.exitCode === null) {
      daemon.kill('SIGTERM');
      await once(daemon, 'exit');
    }
    await rm(folder, { recursive: true, force: true });
  }
});
