import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { bootstrap, run, tools } from './native-crate.ts';

const timeout = 3_600_000;
const host = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-unknown-linux-gnu`;

/** Of all test binaries. */
function passed(said: string): number {
  const results = [...said.matchAll(/^test result: ok\. (\d+) passed; 0 failed/gm)];
  return results.reduce((sum, [, count]) => sum + Number(count), 0);
}

test('AddressSanitizer finds nothing in the tests of the native crate, with its loop, sockets and TLS', { timeout }, async (t) => {
  const env = { ...bootstrap, RUSTFLAGS: '-Zsanitizer=address', ASAN_OPTIONS: 'detect_leaks=1' };
  const said = await run('cargo', ['test', '--locked', '--target', host, '--target-dir', join(tools, 'asan')], env);
  t.diagnostic(`${passed(said)} tests`);
  assert.ok(passed(said) >= 60, said.slice(-2_000));
  assert.doesNotMatch(said, /AddressSanitizer|LeakSanitizer/);
});

// What makes no system call and calls no C: Miri runs neither.
const pure = ['parse::', 'pick::', 'policy::', 'tables::', 'engine::admission', 'engine::stream'];

test('Miri finds no undefined behaviour in what needs no system call', { timeout }, async (t) => {
  const env = { MIRIFLAGS: '-Zmiri-disable-isolation' };
  const args = ['+nightly', 'miri', 'test', '--locked', '--target-dir', join(tools, 'miri')];
  const unit = await run('cargo', [...args, '--lib', '--', ...pure], env);
  const replayed = await run('cargo', [...args, '--test', 'client_hello', '--test', 'corpus'], env);
  t.diagnostic(`${passed(unit) + passed(replayed)} tests`);
  assert.ok(passed(unit) >= 10 && passed(replayed) >= 3, unit + replayed);
});
