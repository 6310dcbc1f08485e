import type { Conflict } from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { RegistryObject } from '../../core/config/index.ts';
import { childController } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { type ClusterId, sourceId } from '../../core/model/index.ts';
import { deepEqual, type ObjectWatch, type WatchedKind } from '../../core/registry/index.ts';
import type { Store } from '../../core/store.ts';
import { createObjectWatch } from '../../registries/index.ts';
import { objectKinds } from '../config/index.ts';
import { type ObjectOwner, type Objects, type ParseDocument, WatchedRecords, WatchedSource } from '../objects/index.ts';
import { idOf } from './sources.ts';

export interface ObjectSourcesOptions {
  readonly set: Objects['set'];
  readonly store: Store;
  readonly cluster: ClusterId;
  readonly parse: ParseDocument;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

const retryMs = 1_000;

interface Running {
  readonly object: RegistryObject;
  readonly owner: ObjectOwner;
  readonly source: WatchedSource;
  end(): Promise<void>;
}

/** Holds exactly the registries that say `objects` as sources of the object set. */
export class ObjectSources {
  readonly #options: ObjectSourcesOptions;
  readonly #records: WatchedRecords;
  readonly #running = new Map<string, Running>();

  constructor(options: ObjectSourcesOptions) {
    this.#options = options;
    this.#records = new WatchedRecords(options.store);
  }

  /**
   * What was in force of each is in force when this resolves; what was kept of others is gone. One call at a time; what is started ends
   * with `signal`. Rejects with STORE_UNAVAILABLE.
   */
  async apply(registries: readonly RegistryObject[], signal: AbortSignal): Promise<void> {
    const wanted = new Map(registries.filter((r) => r.spec.objects !== undefined).map((r) => [idOf(r), r]));
    for (const [id, { owner, end }] of [...this.#running]) {
      if (wanted.has(id)) continue;
      await end();
      this.#running.delete(id);
      this.#options.set.removeSource(owner);
    }
    for (const id of await this.#records.sources()) if (!wanted.has(id)) await this.#records.purge(id);
    for (const [id, object] of wanted) {
      const before = this.#running.get(id);
      if (deepEqual(before?.object, object)) continue;
      await before?.end();
      await this.#start(id, object, signal);
    }
  }

  /** As `apply`, but a store that cannot be reached is tried again until it can, or `signal` aborts. */
  async change(registries: readonly RegistryObject[], signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        await this.apply(registries, signal);
        return;
      } catch (error) {
        log.warn({ error }, 'the registries whose objects are read have changed; that waits for the store');
        await clock.sleep(retryMs, signal).catch(() => undefined);
      }
    }
  }

  /** Ends when `signal` aborts, after everything that was started has. */
  async run(signal: AbortSignal): Promise<void> {
    if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.all([...this.#running.values()].map((each) => each.end()));
  }

  /** Kinds whose objects cannot be read, for `isthmus status`. */
  conflicts(): readonly Conflict[] {
    return [...this.#running].flatMap(([id, { source }]) =>
      [...source.unread()].map(([{ group, kind }, { message }]) => ({
        kind: 'ObjectsUnread',
        subject: `${id} ${kind}.${group}`,
        message: `cannot be read, what is known of them stands: ${message}`,
      })),
    );
  }

  async #start(id: string, object: RegistryObject, signal: AbortSignal): Promise<void> {
    const { set, cluster, parse, clock, random, log } = this.#options;
    const { objects: selection, connection } = object.spec;
    const watch = createObjectWatch(object, kindsOf(object), { id: sourceId(id), cluster, clock, random, log });
    if (selection === undefined || watch === undefined) return;
    const namespaces = connection.type === 'kubernetes' ? connection.namespaces : [];
    const owner = { cluster, source: id };
    const source = new WatchedSource({ owner, selection, namespaces, parse, set, records: this.#records, clock, log });
    await source.restore();
    const { controller, release } = childController(signal);
    const done = this.#follow(source, watch, id, controller.signal).finally(release);
    const end = () => {
      controller.abort();
      return done;
    };
    this.#running.set(id, { object, owner, source, end });
  }

  async #follow(source: WatchedSource, watch: ObjectWatch, id: string, signal: AbortSignal): Promise<void> {
    try {
      await source.run(watch, signal);
    } catch (error) {
      this.#options.log.error({ error, source: id }, 'objects of this source are no longer followed; what is known of them stands');
    }
  }
}

/** Whose a route is, its Gateways say: they are read with it. */
function kindsOf({ spec }: RegistryObject): readonly WatchedKind[] {
  const kinds = spec.objects?.kinds ?? [];
  const routes = kinds.some((kind) => kind.endsWith('Route'));
  return kinds.length === 0
    ? objectKinds
    : objectKinds.filter((k) => kinds.includes(k.kind) || (routes && k.kind === 'Gateway' && k.group === 'gateway.networking.k8s.io'));
}
