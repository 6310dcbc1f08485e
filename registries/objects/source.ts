import type { TrafficObject } from '../../core/config/index.ts';
import { childController } from '../../core/lifecycle.ts';
import {
  type AdapterDeps,
  diffServices,
  type RegistryEvent,
  type RegistrySource,
  reportOnChange,
  runSource,
} from '../../core/registry/index.ts';
import { type Entry, hostnamesOf, isEntry, translate } from './translate.ts';

export interface EntriesOptions {
  /** All objects in force now. */
  readonly objects: () => readonly TrafficObject[];
  /** Calls back after each change of them; returns its undoing. */
  readonly subscribe: (listener: () => void) => () => void;
  /** Where endpoints are whose entry does not say. */
  readonly network: string;
  /** IPs of a host name; rejects when they cannot be had. */
  readonly resolve: (hostname: string) => Promise<readonly string[]>;
  /** How often names are resolved anew, ms. Default 30,000. */
  readonly resolveEveryMs?: number;
}

/** At once; resolvers are other people's. */
const lookupsAtOnce = 8;

/**
 * ServiceEntry and WorkloadEntry objects, wherever they were written, as a registry. A name that cannot be resolved keeps the
 * addresses it had: a resolver's outage takes nothing away.
 */
export function createEntriesSource(options: EntriesOptions, deps: AdapterDeps): RegistrySource {
  const firstSeen = new Map<string, number>();
  return { id: deps.id, watch: (signal) => watch(options, deps, firstSeen, signal) };
}

function watch(
  options: EntriesOptions,
  deps: AdapterDeps,
  firstSeen: Map<string, number>,
  signal: AbortSignal,
): AsyncIterable<RegistryEvent> {
  const { clock, random, log, id } = deps;
  const report = reportOnChange(deps);
  const addresses = new Map<string, readonly string[]>();
  const seenAt = (key: string) => {
    const known = firstSeen.get(key) ?? clock.now();
    firstSeen.set(key, known);
    return known;
  };
  const read = async (entries: readonly Entry[]) => {
    const names = hostnamesOf(entries);
    for (const name of addresses.keys()) if (!names.includes(name)) addresses.delete(name);
    const failed = await lookUp(names, options.resolve, addresses);
    const defaults = { network: options.network, addressesOf: (name: string) => addresses.get(name), seenAt };
    const { services, violations } = translate(entries, defaults);
    report('objects', [...violations, ...failed.map((name) => ({ path: name, message: 'cannot be resolved: what it was stays' }))]);
    return services;
  };
  return runSource(
    async (emit, inner) => {
      const { controller, release } = childController(inner);
      const bell = new Bell();
      const end = options.subscribe(() => bell.ring());
      try {
        let services = await read(options.objects().filter(isEntry));
        let cursor = 0;
        await emit({ kind: 'snapshot', services, cursor: String(cursor) });
        for (;;) {
          const pause = childController(controller.signal);
          try {
            await bell.wait(clock.sleep(options.resolveEveryMs ?? 30_000, pause.controller.signal));
          } finally {
            pause.controller.abort();
            pause.release();
          }
          const now = await read(options.objects().filter(isEntry));
          const events = diffServices(services, now, String(cursor + 1));
          if (events.length > 0) cursor += 1;
          for (const event of events) await emit(event);
          services = now;
        }
      } finally {
        end();
        controller.abort();
        release();
      }
    },
    { clock, random, onFailure: (error) => log.warn({ source: id, code: error.code }, error.message) },
    signal,
  );
}

/** Fills `into`; returns the names that could not be resolved. */
async function lookUp(
  names: readonly string[],
  resolve: EntriesOptions['resolve'],
  into: Map<string, readonly string[]>,
): Promise<readonly string[]> {
  const failed: string[] = [];
  const left = [...names];
  const worker = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      try {
        into.set(name, [...(await resolve(name))].sort());
      } catch {
        failed.push(name);
      }
    }
  };
  await Promise.all(Array.from({ length: lookupsAtOnce }, worker));
  return failed.sort();
}

/** Rung while nobody waits, it is heard by the next who does. */
class Bell {
  #rung = false;
  #hear: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#hear?.();
  }

  /** Until it is rung, or `other` settles; rejects as `other` does. */
  async wait(other: Promise<void>): Promise<void> {
    if (!this.#rung) await Promise.race([other, new Promise<void>((resolve) => (this.#hear = resolve))]);
    else other.catch(() => {});
    this.#rung = false;
  }
}
