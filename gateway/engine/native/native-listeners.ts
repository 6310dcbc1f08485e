import { MeshError, toMeshError } from '../../../core/errors.ts';
import { type ListenerKeeper, ownListeners } from '../../../core/listeners/index.ts';
import type { EngineListener, EngineListenerSpec } from '../contract.ts';
import type { NativeAddon } from './addon.ts';

/** Closed listeners that connections may still come of. */
const mostClosed = 1_024;

interface Open {
  readonly spec: EngineListenerSpec;
  /** See ListenerKeeper.keep. */
  readonly release: () => boolean;
}

/** What the crate listens for, on sockets of its own or on those that somebody keeps. */
export class NativeListeners {
  readonly #addon: NativeAddon;
  readonly #engine: number;
  readonly #keeper: ListenerKeeper;
  readonly #open = new Map<number, Open>();
  readonly #specs = new Map<string, EngineListenerSpec>();
  /** The oldest first. */
  readonly #closed: EngineListenerSpec[] = [];

  constructor(addon: NativeAddon, engine: number, keeper: ListenerKeeper = ownListeners) {
    this.#addon = addon;
    this.#engine = engine;
    this.#keeper = keeper;
  }

  /** Also of one that has closed not long ago. */
  spec(name: string): EngineListenerSpec | undefined {
    return this.#specs.get(name);
  }

  /** Throws MeshError PORT_TAKEN. */
  open(spec: EngineListenerSpec): EngineListener {
    const { name, address, port, kind, acceptProxy } = spec;
    const kept = this.#keeper.take(spec);
    try {
      const sockets = { sockets: kept?.descriptors ?? [], oneSocket: this.#keeper.socketsPerPlace === 'one' };
      const place = { name, address, port, kind, acceptProxy, ...sockets };
      // Before the first of its connections can come.
      this.#specs.set(name, spec);
      const bound = JSON.parse(this.#addon.listen(this.#engine, JSON.stringify(place))) as Bound;
      const duplicates = () => JSON.parse(this.#addon.sockets(this.#engine, bound.number)) as number[];
      this.#open.set(bound.number, { spec, release: this.#keeper.keep(spec, duplicates) });
      return { address: bound.address, port: bound.port, close: async () => this.#close(bound.number) };
    } catch (error) {
      const { message } = toMeshError(error);
      const cause = Object.assign(new Error(message, { cause: error }), { code: message });
      const hint = message === 'EACCES' ? ': ports below 1024 need the right to bind them (CAP_NET_BIND_SERVICE)' : '';
      throw new MeshError('PORT_TAKEN', `cannot listen on ${address}:${port} for ${name}: ${message}${hint}`, { cause });
    } finally {
      kept?.done();
    }
  }

  closeAll(): void {
    for (const number of [...this.#open.keys()]) this.#close(number);
  }

  #close(number: number): void {
    const open = this.#open.get(number);
    if (open === undefined) return;
    this.#open.delete(number);
    if (open.release()) this.#addon.close(this.#engine, number);
    else this.#addon.letGo(this.#engine, number);
    this.#closed.push(open.spec);
    const oldest = this.#closed.length > mostClosed ? this.#closed.shift() : undefined;
    if (oldest !== undefined && this.#specs.get(oldest.name) === oldest) this.#specs.delete(oldest.name);
  }
}

interface Bound {
  readonly number: number;
  readonly address: string;
  readonly port: number;
}
