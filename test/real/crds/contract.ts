import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { fieldTable } from '../../../control/config/kinds/field-table.ts';
import { kindRows } from '../../../control/config/kinds/index.ts';
import { parseObject } from '../../../control/config/parse-object.ts';
import { formatViolation } from '../../../core/validate.ts';
import { parseDocuments } from '../../../core/yaml/index.ts';
import { repositoryRoot } from '../../support/repository-root.ts';
import { wrongObjects } from '../../support/wrong-objects.ts';
import { type CrdSet, type CustomResourceDefinition, customResourceDefinitions } from '../servers/crds.ts';
import { type CrdJudge, startCrdJudge } from './judge.ts';
import { leafFields } from './leaf-fields.ts';

export interface CrdContract {
  readonly sets: readonly CrdSet[];
  /** API groups, or what they end in. */
  readonly groups: readonly string[];
  /** Of objects that both take. */
  readonly right: readonly string[];
  readonly wrong: string;
  /** How many of the wrong ones the API server refuses as well, at least. */
  readonly bothRefuse: number;
}

/** Holds our schemas against the definitions of the projects whose kinds these are: field by field, and by what an API server says. */
export function testCrdContract(contract: CrdContract): void {
  let judge: CrdJudge;
  before(async () => {
    judge = await startCrdJudge(contract.sets);
  });
  after(() => judge?.stop());

  test('every field of the definitions is in the table, and the table has no other', async () => {
    const definitions = (await Promise.all(contract.sets.map(customResourceDefinitions))).flat();
    const rows = kindRows.filter((row) => row.scope !== undefined && contract.groups.some((group) => row.group.endsWith(group)));
    assert.ok(rows.length > 0);
    for (const row of rows) {
      const definition = definitions.find(({ spec }) => spec.group === row.group && spec.names.kind === row.kind);
      assert.ok(definition !== undefined, `${row.group} ${row.kind} has no definition`);
      compareFields(row, definition);
    }
  });

  test('what we take, the API server takes with these definitions', async () => {
    for (const folder of contract.right) await assertTaken(folder, judge);
  });

  test('what the API server refuses, we refuse; what we refuse beyond that is marked', async () => {
    let both = 0;
    const marked: string[] = [];
    for (const object of await wrongObjects(contract.wrong)) {
      const value: unknown = parseAllDocuments(object.text)[0]?.toJS();
      if (!judge.knows(value)) continue;
      const verdict = await judge.ask(value);
      if ((verdict === undefined) !== object.crdTakesIt) marked.push(`${object.title}: ${verdict ?? 'the API server takes it'}`);
      if (verdict !== undefined) both += 1;
    }
    assert.deepEqual(marked, [], 'wrong objects whose mark [CRD takes it] is not so');
    assert.ok(both >= contract.bothRefuse, `${both} wrong objects are refused by both`);
  });
}

/** Ours alone; their own projects' API servers would refuse them. Sorted. */
const additions: Readonly<Record<string, readonly string[]>> = {
  AuthorizationPolicy: ['rules[].from[].source.clusters[]', 'rules[].from[].source.notClusters[]'],
};

function compareFields(row: (typeof kindRows)[number], definition: CustomResourceDefinition): void {
  assert.deepEqual([...row.versions].sort(), definition.spec.versions.map((v) => v.name).sort(), `versions of ${row.kind}`);
  const known = fieldTable(row.schema, false);
  const fields = leafFields(definition);
  const covers = (path: string, field: string) =>
    field === path || field.startsWith(`${path}.`) || field.startsWith(`${path}[`) || field.startsWith(`${path}{`);
  // Of a map whose keys we name, e.g. annotations, the table has those keys.
  const keyOf = (path: string, field: string) => field.endsWith('{}') && path.startsWith(`${field.slice(0, -2)}.`);
  const missing = fields.filter(
    (field) =>
      !known.some((each) => (each.status === 'supported' ? each.path === field || keyOf(each.path, field) : covers(each.path, field))),
  );
  assert.deepEqual(missing, [], `fields of ${row.kind} that are in no table`);
  const own = additions[row.kind] ?? [];
  const invented = known.filter(({ path }) => !fields.some((field) => covers(path, field) || keyOf(path, field))).map(({ path }) => path);
  assert.deepEqual(invented.sort(), own, `fields of ${row.kind} that its project has not`);
}

async function assertTaken(folder: string, judge: CrdJudge): Promise<void> {
  for (const file of await readdir(join(repositoryRoot, folder))) {
    const text = await readFile(join(repositoryRoot, folder, file), 'utf8');
    for (const document of parseDocuments(file, text).documents) {
      const { violations } = parseObject(document, '/');
      assert.deepEqual(violations.map(formatViolation), [], 'the corpus is right');
      const verdict = await judge.ask(document.value);
      assert.equal(verdict, undefined, `${file}:${document.lineOf([])}: ${verdict}`);
    }
  }
}
