import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { parseConfig } from '../../../control/config/index.ts';
import { formatViolation } from '../../../core/validate.ts';
import { assertGolden } from '../../support/golden.ts';
import { repositoryRoot } from '../../support/repository-root.ts';

const mesh =
  'apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: east}\nspec: {cluster: east, trustDomain: mesh.test, stateDir: /s}\n';
const folder = join(repositoryRoot, 'test/samples/istio');

for (const file of (await readdir(folder)).sort()) {
  test(`the samples of ${file} apply unchanged, and mean what they always meant`, async () => {
    const result = parseConfig([
      { file: 'mesh.yaml', text: mesh },
      { file, text: await readFile(join(folder, file), 'utf8') },
    ]);
    assert.ok(result.ok, result.ok ? '' : result.violations.map(formatViolation).join('\n'));
    const objects = result.value.objects.filter((object) => object.kind !== 'Mesh');
    await assertGolden(`test/golden/config/${file.replace('.yaml', '.golden.json')}`, objects);
  });
}
