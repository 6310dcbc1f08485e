import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { engineFor, type OpenedEngine, openEngine } from '../../../gateway/engine/open-engine.ts';
import { engineOf } from '../../../gateway/starting.ts';
import { EngineHarness } from './harness.ts';

let harness: EngineHarness | undefined;
afterEach(() => harness?.close());

test('the native engine is what auto means where it is built; each can be asked for by name', async () => {
  for (const [choice, name] of [
    ['auto', 'native'],
    ['native', 'native'],
    ['node', 'node'],
  ] as const) {
    let opened: OpenedEngine | undefined;
    harness = new EngineHarness((options, tables) => {
      opened = openEngine(choice, options, tables);
      return opened.engine;
    });
    assert.deepEqual([opened?.engine.name, opened?.instead], [name, undefined]);
    assert.deepEqual(engineFor(choice), { name });
    assert.deepEqual(engineOf({ proxy: 'isthmus', engine: choice }), { engine: name });
    await harness.close();
  }
  assert.deepEqual(engineOf({ proxy: 'envoy', engine: 'auto' }), {}, 'no engine of ours carries its traffic');
});

test('where it is built and cannot start, auto goes on with the node engine and says why; asked for by name it fails', async () => {
  const opened: OpenedEngine[] = [];
  // Refused by the crate, as threads would be that cannot be had.
  harness = new EngineHarness((options, tables) => {
    assert.throws(() => openEngine('native', { ...options, threads: -1 }, tables), {
      code: 'CONFIG_INVALID',
      message: /^the native engine cannot be used: .+; --engine node, or auto, goes without it$/,
    });
    opened.push(openEngine('auto', { ...options, threads: -1 }, tables));
    return opened[0]?.engine ?? assert.fail();
  });
  assert.equal(opened[0]?.engine.name, 'node');
  assert.match(opened[0]?.instead ?? '', /^the native engine is not used: .+/);
});
