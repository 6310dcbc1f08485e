import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { readInput } from '../support/golden.ts';
import { type EnvoyBootstrap, validateEnvoyConfig } from './servers/index.ts';

const folder = new URL('../../../test/golden/envoy/', import.meta.url);

test('real Envoy takes every golden bootstrap', async () => {
  const files = (await readdir(folder)).filter((name) => /^bootstrap-.*\.golden\.json$/.test(name));
  assert.ok(files.length >= 4, files.join());
  for (const name of files) {
    const verdict = await validateEnvoyConfig(await readInput<EnvoyBootstrap>(`test/golden/envoy/${name}`));
    assert.deepEqual(verdict, { accepted: true }, name);
  }
});
