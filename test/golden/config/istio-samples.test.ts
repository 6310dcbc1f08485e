import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import test from 'node:test';
import { parseConfig } from '../../../control/config/index.ts';
import { formatViolation } from '../../../core/validate.ts';
import { assertGolden } from '../../support/golden.ts';
import { repositoryRoot } from '../../support/repository-root.ts';

const mesh =
  'apiVersion: isthmus.dev/v1alpha1\nkind: Mesh\nmetadata: {name: east}\nspec: {cluster: east, trustDomain: mesh.test, stateDir: /s}\n';

for (const folder of [
  'test/samples/istio',
  'test/samples/gateway-api',
  'test/samples/corpus/istio',
  'test/samples/corpus/gateway-api',
  'test/samples/corpus/own',
]) {
  for (const file of (await readdir(join(repositoryRoot, folder))).sort()) {
    test(`the samples of ${folder}/${file} apply unchanged, and mean what they always meant`, async () => {
      const result = parseConfig([
        { file: 'mesh.yaml', text: mesh },
        { file, text: await readFile(join(repositoryRoot, folder, file), 'utf8') },
      ]);
      assert.ok(result.ok, result.ok ? '' : result.violations.map(formatViolation).join('\n'));
      const objects = result.value.objects.filter((object) => object.kind !== 'Mesh').map(plain);
      const name = folder.includes('corpus') ? `${basename(folder)}-${file}` : file;
      await assertGolden(`test/golden/config/${name.replace('.yaml', '.golden.json')}`, objects);
    });
  }
}

/** Bytes of bodies as text. */
function plain(object: unknown): unknown {
  return JSON.parse(
    JSON.stringify(object, (_, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value)),
  );
}
