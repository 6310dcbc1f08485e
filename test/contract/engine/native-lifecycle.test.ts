import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadAddon } from '../../../gateway/engine/native/addon.ts';
import { NativeEngine } from '../../../gateway/engine/native/native-engine.ts';
import { until } from '../../support/until.ts';
import { EngineHarness, endpoint } from './harness.ts';
import { lifecycleSuite } from './lifecycle-suite.ts';
import { makeNative } from './make-native.ts';

lifecycleSuite('native', makeNative);

test('engine native: handles of endpoints that are no more come back, whether anybody connects or not', async () => {
  const loaded = loadAddon();
  assert.ok(loaded.ok);
  let released = 0;
  const events = (engine: number) => {
    const text = loaded.addon.events(engine);
    released += JSON.parse(text).released.length;
    return text;
  };
  const harness = new EngineHarness((options, tables) => new NativeEngine({ ...loaded.addon, events }, options, tables));
  try {
    for (let i = 0; i < 500; i++) harness.endpoints(...Array.from({ length: 50 }, (_, at) => endpoint(1_000 + at, { instance: `${i}` })));
    await until('those of the changes before the last', () => released >= 499 * 50);
  } finally {
    await harness.close();
  }
});

test('engine native: tables that it did not take are told whole with the next change', async () => {
  const loaded = loadAddon();
  assert.ok(loaded.ok);
  const told: { readonly whole?: boolean }[] = [];
  const apply = (engine: number, change: string) => {
    told.push(JSON.parse(change));
    if (told.length === 2) throw new Error('refused');
    loaded.addon.apply(engine, change);
  };
  const harness = new EngineHarness((options, tables) => new NativeEngine({ ...loaded.addon, apply }, options, tables));
  try {
    for (const port of [1_001, 1_002, 1_003]) harness.endpoints(endpoint(port));
    assert.deepEqual(
      told.map(({ whole = false }) => whole),
      [false, false, true, false],
    );
  } finally {
    await harness.close();
  }
});
