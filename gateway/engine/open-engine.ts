import { MeshError, toMeshError } from '../../core/errors.ts';
import type { Engine, EngineOptions, EngineTables } from './contract.ts';
import { loadAddon } from './native/addon.ts';
import { NativeEngine } from './native/native-engine.ts';
import { NodeEngine } from './node/node-engine.ts';

/** `auto`: the native one where it is built for this machine, else the one in TypeScript. */
export type EngineChoice = 'auto' | 'native' | 'node';

export interface OpenedEngine {
  readonly engine: Engine;
  /** Why it is not the native one, for people; absent: it is, or nobody asked for that. */
  readonly instead?: string;
}

/** Which one it will be, and why not the native one where anybody would have that: for what is said before one is opened. */
export function engineFor(choice: EngineChoice): { readonly name: Engine['name']; readonly instead?: string } {
  if (choice !== 'auto') return { name: choice };
  const loaded = loadAddon();
  return loaded.ok ? { name: 'native' } : { name: 'node', instead: insteadOf(loaded.reason) };
}

function insteadOf(reason: string): string {
  return `the native engine is not used: ${reason}`;
}

/** MeshError CONFIG_INVALID where the native one is asked for by name and cannot be had. */
export function openEngine(choice: EngineChoice, options: EngineOptions, tables: EngineTables): OpenedEngine {
  if (choice === 'node') return { engine: new NodeEngine(options, tables) };
  const loaded = loadAddon();
  let reason = loaded.ok ? '' : loaded.reason;
  try {
    if (loaded.ok) return { engine: new NativeEngine(loaded.addon, options, tables) };
  } catch (error) {
    reason = toMeshError(error).message;
  }
  if (choice === 'auto') return { engine: new NodeEngine(options, tables), instead: insteadOf(reason) };
  throw new MeshError('CONFIG_INVALID', `the native engine cannot be used: ${reason}; --engine node, or auto, goes without it`);
}
