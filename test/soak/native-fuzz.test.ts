import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { bootstrap, crate, run, tools } from './native-crate.ts';

const cargoFuzz = join(tools, 'bin/cargo-fuzz');
const version = '0.13.2';
const runs = 10_000_000;
/** Bytes of an input: more than any limit of the parsers within it. */
const maxLength = 5_000;

before(() => run('cargo', ['install', 'cargo-fuzz', '--version', version, '--locked', '--quiet', '--root', tools]), { timeout: 1_200_000 });

for (const target of ['client_hello', 'proxy_protocol']) {
  test(`${runs} inputs made from the kept corpus: ${target} breaks no invariant`, { timeout: 7_200_000 }, async (t) => {
    const found = await mkdtemp(join(tmpdir(), 'isthmus-fuzz-'));
    t.after(() => rm(found, { recursive: true, force: true }));
    // The parsers are safe Rust: what could break is an assertion, and without a sanitizer there are more runs in the same time.
    const args = ['fuzz', 'run', '-s', 'none', target, found, join(crate, 'fuzz/corpus', target)];
    const libFuzzer = [`-runs=${runs}`, `-max_len=${maxLength}`, '-timeout=10', '-print_final_stats=1'];
    const said = await run(cargoFuzz, [...args, '--', ...libFuzzer], bootstrap);
    const executed = Number(/^stat::number_of_executed_units:\s*(\d+)$/m.exec(said)?.[1]);
    t.diagnostic(`${target}: ${executed} runs`);
    assert.ok(executed >= runs, `${executed} runs`);
  });
}
