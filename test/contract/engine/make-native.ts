import { loadAddon } from '../../../gateway/engine/native/addon.ts';
import { NativeEngine } from '../../../gateway/engine/native/native-engine.ts';
import type { MakeEngine } from './harness.ts';

/** Fails where it has not been built: a suite that skips an engine shows nothing. */
export const makeNative: MakeEngine = (options, tables) => {
  const loaded = loadAddon();
  if (!loaded.ok) throw new Error(`the native engine cannot be tested: ${loaded.reason}`);
  return new NativeEngine(loaded.addon, options, tables);
};
