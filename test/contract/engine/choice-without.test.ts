import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, test } from 'node:test';
import { silentLog } from '../../../core/log.ts';
import { EngineHarness } from './harness.ts';

/** As where there is no cargo: the crate's library is not there. Looked for once by each process, so before anything asks. */
const { existsSync } = fs;
fs.existsSync = (path) => !String(path).includes('isthmus-engine') && existsSync(path);
syncBuiltinESMExports();
const { engineFor, openEngine } = await import('../../../gateway/engine/open-engine.ts');
const { engineOf, sayStarting } = await import('../../../gateway/starting.ts');

let harness: EngineHarness | undefined;
afterEach(() => harness?.close());

const instead = new RegExp(
  `^the native engine is not used: there is none for linux-${process.arch} here \\(npm run build:native makes it\\)$`,
);

test('where the native engine is not built auto means the node engine, which carries all', async () => {
  let said: string | undefined;
  harness = new EngineHarness((options, tables) => {
    assert.throws(() => openEngine('native', options, tables), {
      code: 'CONFIG_INVALID',
      message: /^the native engine cannot be used: there is none .*; --engine node, or auto, goes without it$/,
    });
    const opened = openEngine('auto', options, tables);
    said = opened.instead;
    return opened.engine;
  });
  assert.equal(harness.engine.name, 'node');
  assert.match(said ?? '', instead);
  assert.deepEqual([engineFor('auto').name, engineOf({ proxy: 'isthmus', engine: 'auto' })], ['node', { engine: 'node' }]);
});

test('the first line of the log says which engine runs, and why not the native one', () => {
  const lines: { fields: Readonly<Record<string, unknown>>; message: string }[] = [];
  const log = { ...silentLog, info: (fields: Readonly<Record<string, unknown>>, message: string) => void lines.push({ fields, message }) };
  sayStarting({ kind: 'gateway' }, { proxy: 'isthmus', engine: 'auto' }, log);
  sayStarting({ kind: 'gateway' }, { proxy: 'isthmus', engine: 'node' }, log);
  sayStarting({}, { proxy: 'envoy', engine: 'auto' }, log);
  const [auto, node, envoy] = lines.map(({ fields }) => fields);
  assert.ok(lines.every(({ message }) => message === 'starting'));
  const engine = auto?.['engine'] as { name: string; instead: string } | undefined;
  assert.deepEqual([auto?.['kind'], engine?.name], ['gateway', 'node']);
  assert.match(engine?.instead ?? '', instead);
  assert.deepEqual([node?.['engine'], envoy?.['engine'], envoy?.['proxy']], [{ name: 'node' }, undefined, 'envoy']);
});
