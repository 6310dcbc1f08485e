import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { engines } from '../support/engine-faults/brief.ts';

// What a runner within a runner says, only that one understands.
const { NODE_TEST_CONTEXT: _, ...env } = process.env;

/** How many tests have passed; fails with all that was said unless each has. */
async function runInOwnNetwork(suite: string, engine: string): Promise<number> {
  const path = fileURLToPath(new URL(`./capture/${suite}.js`, import.meta.url));
  const command = ['-n', process.execPath, '--enable-source-maps', '--test-reporter=tap', path, engine];
  const said = await new Promise<string>((resolve, reject) =>
    execFile('unshare', command, { env, timeout: 110_000 }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(stdout + stderr, { cause: error })),
    ),
  );
  const [passed, skipped] = ['pass', 'skipped'].map((word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(said)?.[1]));
  assert.equal(skipped, 0, said);
  return passed ?? 0;
}

for (const engine of engines) {
  test(`engine ${engine}: connections that a packet filter led to it, of both families`, async () => {
    assert.equal(await runInOwnNetwork('captured-suite', engine), 10);
  });

  test(`engine ${engine}: connections that it passes on unchanged`, async () => {
    assert.equal(await runInOwnNetwork('passed-on-suite', engine), 8);
  });
}
