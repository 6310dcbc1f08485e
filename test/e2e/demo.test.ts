import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

/** The README's first command line, to its end. */
test('isthmus demo --once: every step holds, exit code 0, nothing is left running', async () => {
  const child = spawn(process.execPath, [main, 'demo', '--once'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8');
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0, out);
  assert.match(out, /VM → payments in west/);
  assert.match(out, /the caller it saw: spiffe:\/\/demo\.test\/ns\/shop\/sa\/orders/);
  assert.match(out, /payments-2 answered 40 of 40/);
  assert.match(out, /All held/);
  assert.doesNotMatch(out, /FAILED/);
});
