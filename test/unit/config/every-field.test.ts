import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { fieldTable } from '../../../control/config/kinds/field-table.ts';
import { kindRows } from '../../../control/config/kinds/index.ts';
import { parseObject } from '../../../control/config/parse-object.ts';
import { formatViolation } from '../../../core/validate.ts';
import { parseDocuments } from '../../../core/yaml/index.ts';
import { repositoryRoot } from '../../support/repository-root.ts';

const corpus = join(repositoryRoot, 'test/samples/corpus');
const texts: { file: string; text: string }[] = [];
for (const folder of await readdir(corpus)) {
  for (const file of await readdir(join(corpus, folder))) texts.push({ file, text: await readFile(join(corpus, folder, file), 'utf8') });
}
const documents = texts.flatMap(({ file, text }) => parseDocuments(file, text).documents);

/** Paths of what is written, as the table of fields spells them; maps are told from objects by that table. */
function pathsOf(value: unknown, at: string, known: ReadonlySet<string>): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => pathsOf(each, `${at}[]`, known));
  if (typeof value !== 'object' || value === null) return [at];
  const isMap = [...known].some((path) => path === `${at}{}` || path.startsWith(`${at}{}`));
  const inside = Object.entries(value).flatMap(([key, each]) => pathsOf(each, isMap ? `${at}{}` : at === '' ? key : `${at}.${key}`, known));
  return [at, ...inside];
}

test('the corpus of right objects is taken', () => {
  assert.deepEqual(
    documents.flatMap((document) => parseObject(document, '/').violations.map(formatViolation)),
    [],
  );
});

for (const row of kindRows.filter((each) => each.scope !== undefined && each.derived === undefined)) {
  test(`every field of ${row.group} ${row.kind} that is supported is written somewhere in the corpus`, () => {
    const known = new Set(fieldTable(row.schema, false).map((field) => field.path));
    const specs = documents
      .map((document) => document.value as { apiVersion: string; kind: string; spec?: unknown })
      .filter((value) => value.kind === row.kind && value.apiVersion.startsWith(`${row.group}/`));
    const written = new Set(specs.flatMap((value) => pathsOf(value.spec, '', known)));
    const supported = fieldTable(row.schema, true).filter((field) => field.status === 'supported' && field.as === undefined);
    assert.deepEqual(
      supported.map((field) => field.path).filter((path) => !written.has(path)),
      [],
    );
  });
}
