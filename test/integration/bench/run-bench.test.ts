import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { benchCases } from '../../../bench/cases/index.ts';
import { parseBenchOptions } from '../../../bench/options.ts';
import { readBlocks } from '../../support/docs-blocks.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../../bench/main.js', import.meta.url));

test('every command of docs/benchmarks.md is one that the bench takes', async () => {
  const names = benchCases.map((each) => each.name);
  const lines = (await readBlocks('docs/benchmarks.md', 'sh')).flatMap((block) => block.trim().split('\n'));
  assert.ok(lines.length >= 4);
  for (const line of lines) {
    const [, args] = /^(?:[A-Z_]+=\S+ )?npm run bench(?::xds|:routing|:ca|:engines)?(?: -- (.*))?$/.exec(line) ?? assert.fail(line);
    assert.equal(parseBenchOptions(args?.split(' ') ?? [], names).ok, true, line);
  }
});

test('one case, measured as people do: a table to read, the JSON for programs, and nothing left running', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-bench-test-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const file = join(dir, 'bench.json');
  const { stdout } = await run(process.execPath, [main, '--quick', '--only', 'verify', '--json', file]);
  assert.match(stdout, /\npeers verified {2,}[\d,]+ \/CPU-s/);
  const { machine, cases } = JSON.parse(await readFile(file, 'utf8'));
  assert.ok(stdout.startsWith(machine));
  assert.deepEqual(
    cases.map((each: { name: string }) => each.name),
    ['peers verified'],
  );
});

test('a server to measure against that is missing: said, and no figure in its place', async () => {
  const env = { ...process.env, ISTHMUS_CONSUL: '/nonexistent/consul' };
  const { stdout } = await run(process.execPath, [main, '--quick', '--only', 'xds-converge'], { env });
  assert.match(stdout, /no Consul or no Envoy found; name them in ISTHMUS_CONSUL and ISTHMUS_ENVOY/);
  assert.doesNotMatch(stdout, /Consul to Envoy/);
});

test('a case that does not exist: exit 2, and which there are', async () => {
  await assert.rejects(run(process.execPath, [main, '--only', 'nope']), (error: { code?: number; stderr?: string }) => {
    assert.equal(error.code, 2);
    assert.match(error.stderr ?? '', /no case nope: one of agent, sign/);
    return true;
  });
});
