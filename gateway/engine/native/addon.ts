import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What the Rust crate beside this file gives to Node; texts are JSON. Each call may throw an Error that says what was wrong with it. */
export interface NativeAddon {
  protocol(): number;
  /** `onEvents` is called soon after something has happened; what, `events` tells. Keeps the process running until `dispose`. */
  create(options: string, onEvents: () => void): number;
  /** What is not named stays as it is. */
  apply(engine: number, change: string): void;
  /** JSON of `{number, address, port}`. */
  listen(engine: number, spec: string): string;
  /** By number; 0 closes all. The address is free when it returns. */
  close(engine: number, listener: number): void;
  /** JSON of NativeBatch: everything since the last call. */
  events(engine: number): string;
  /** A connection that was handed over has ended. */
  release(engine: number, connection: number): void;
  /** JSON of NativePlace[]: those that connections lead to now. */
  places(engine: number): string;
  /** JSON of `{address, port, own}`. */
  giveUp(engine: number, place: string): void;
  /** JSON of NativeCounters. */
  counters(engine: number): string;
  breakOff(engine: number): void;
  /** Ends its threads; `events` still tells what that ended. */
  stop(engine: number): void;
  dispose(engine: number): void;
}

/** src/node_api/mod.rs has the same. */
const protocol = 1;

export type LoadedAddon = { readonly ok: true; readonly addon: NativeAddon } | { readonly ok: false; readonly reason: string };

let loaded: LoadedAddon | undefined;

/** Looked for once: `npm run build:native` puts it into build/native. */
export function loadAddon(): LoadedAddon {
  loaded ??= load();
  return loaded;
}

function load(): LoadedAddon {
  if (process.platform !== 'linux') return { ok: false, reason: `it needs Linux, and this is ${process.platform}` };
  const path = fileURLToPath(new URL(`../../../native/isthmus-engine.linux-${process.arch}.node`, import.meta.url));
  try {
    const addon = createRequire(import.meta.url)(path) as NativeAddon;
    const theirs = addon.protocol();
    if (theirs === protocol) return { ok: true, addon };
    return { ok: false, reason: `${path} speaks protocol ${theirs}, not ${protocol}: run npm run build:native again` };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { ok: false, reason: code === 'MODULE_NOT_FOUND' ? 'it is not built (npm run build:native)' : message };
  }
}
