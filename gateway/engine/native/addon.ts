import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What the Rust crate beside this file gives to Node; texts are JSON. Each call may throw an Error that says what was wrong with it. */
export interface NativeAddon {
  protocol(): number;
  /** Bytes that the C allocator of this process has from the system, and nobody from it. */
  heldFree(): number;
  /** Has it give that back to the system, as far as it goes: some ms for each 100 MB. */
  giveBack(): void;
  /** `onEvents` is called soon after something has happened; what, `events` tells. Keeps the process running until `dispose`. */
  create(options: string, onEvents: () => void): number;
  /** What is not named stays as it is. */
  apply(engine: number, change: string): void;
  /** JSON of `{number, address, port}`. */
  listen(engine: number, spec: string): string;
  /** By number; 0 closes all. The address is free when it returns. */
  close(engine: number, listener: number): void;
  /** Takes nobody from it any more when it returns, and leaves who waits there to whoever else has its sockets. */
  letGo(engine: number, listener: number): void;
  /** JSON of descriptors: duplicates of a listener's sockets, the caller's to close. */
  sockets(engine: number, listener: number): string;
  /** JSON of NativeBatch: everything since the last call. */
  events(engine: number): string;
  /** A connection that was handed over has ended. */
  release(engine: number, connection: number): void;
  /** `request`: JSON of NativeDial. What becomes of it is an event. JSON of `{number, address}`: ADDRESS:PORT, as places are called. */
  dial(engine: number, request: string): string;
  /** Nothing where it is over. */
  cancelDial(engine: number, number: number): void;
  /** To be called before our side of that connection is closed where the other is to see a break. */
  cut(engine: number, number: number): void;
  /** JSON of NativePlace[]: those that connections lead to now. */
  places(engine: number): string;
  /** JSON of `{address, port, own}`. */
  giveUp(engine: number, place: string): void;
  /** JSON of NativeLatencies. */
  latencies(engine: number): string;
  /** JSON of NativeCounters. */
  counters(engine: number): string;
  /** Why nobody is to be taken; empty: everybody is again. */
  overload(engine: number, detail: string): void;
  relieve(engine: number, bytes: number): void;
  breakOff(engine: number): void;
  /** Ends its threads; `events` still tells what that ended. */
  stop(engine: number): void;
  dispose(engine: number): void;
}

/** src/node_api/mod.rs has the same. */
const protocol = 4;

export type LoadedAddon = { readonly ok: true; readonly addon: NativeAddon } | { readonly ok: false; readonly reason: string };

let loaded: LoadedAddon | undefined;

/** Looked for once: `npm run build:native` puts it into build/native. */
export function loadAddon(): LoadedAddon {
  loaded ??= load();
  return loaded;
}

/** See NativeAddon; 0 where there is none, and nobody knows. */
export function heldFree(): number {
  const known = loadAddon();
  return known.ok ? known.addon.heldFree() : 0;
}

/** See NativeAddon; nothing where there is none. */
export function giveBack(): void {
  const known = loadAddon();
  if (known.ok) known.addon.giveBack();
}

function load(): LoadedAddon {
  if (process.platform !== 'linux') return { ok: false, reason: `it needs Linux, and this is ${process.platform}` };
  const file = `native/isthmus-engine.linux-${process.arch}.node`;
  // From this module, and from build/cli, where packages have the agent as one script.
  const places = ['../../../', '../'].map((base) => fileURLToPath(new URL(`${base}${file}`, import.meta.url)));
  const path = places.find(existsSync) ?? '';
  if (path === '') return { ok: false, reason: `there is none for linux-${process.arch} here (npm run build:native makes it)` };
  try {
    const addon = createRequire(import.meta.url)(path) as NativeAddon;
    const theirs = addon.protocol();
    if (theirs === protocol) return { ok: true, addon };
    return { ok: false, reason: `${path} speaks protocol ${theirs}, not ${protocol}: run npm run build:native again` };
  } catch (error) {
    return { ok: false, reason: (error as Error).message };
  }
}
