import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { parseObject } from '../../../control/config/index.ts';
import { preflight } from '../../../control/migrate/preflight/index.ts';
import type { MigrationSpec } from '../../../core/config/index.ts';
import { formatViolation } from '../../../core/validate.ts';
import { parseDocuments } from '../../../core/yaml/index.ts';
import { factsOf, goodScene } from '../../support/preflight-scene.ts';
import { repositoryRoot } from '../../support/repository-root.ts';

const folder = join(repositoryRoot, 'test/samples/migrations');
const mark = '#! ';

/** What is said of one Migration, a line each. */
function saidOf(text: string): readonly string[] {
  const [document, ...more] = parseDocuments('sample.yaml', text).documents;
  assert.ok(document !== undefined && more.length === 0);
  const { located, violations } = parseObject(document, '/');
  assert.deepEqual(violations.map(formatViolation), []);
  assert.equal(located?.object.kind, 'Migration');
  const { namespace = '', name = '', spec } = located?.object ?? {};
  const written = spec as MigrationSpec;
  const { service, from, to } = written;
  const { checks } = preflight({ namespace, name, service, from, to, spec: written }, factsOf(goodScene()));
  return checks.flatMap(({ name: check, ok, path, message, fix }) => (ok === 'pass' ? [] : [`${ok} ${check} ${path}: ${message}: ${fix}`]));
}

/** With the lines that say what is wrong after its first, which names the mistake. */
function marked(text: string): string {
  const [title = '', ...rest] = text.split('\n').filter((line) => !line.startsWith(mark));
  return [title, ...saidOf(text).map((line) => mark + line), ...rest].join('\n');
}

async function samplesOf(kind: 'good' | 'wrong'): Promise<readonly string[]> {
  const all: string[] = [];
  for (const file of await readdir(join(folder, kind))) {
    const path = join(folder, kind, file);
    const text = await readFile(path, 'utf8');
    const documents = text.split(/^---\n/m);
    const again = documents.map(marked).join('---\n');
    if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(path, again);
    else assert.equal(again, text, file);
    all.push(...documents);
  }
  return all;
}

test('good samples can begin', async () => {
  const samples = await samplesOf('good');
  assert.ok(samples.length >= 4);
  assert.deepEqual(
    samples.flatMap(saidOf).filter((line) => line.startsWith('fail')),
    [],
  );
});

test('wrong samples say what is wrong with them, and what to change', async () => {
  for (const sample of await samplesOf('wrong')) assert.notDeepEqual(saidOf(sample), [], sample);
});
