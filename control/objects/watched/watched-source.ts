import type { Clock } from '../../../core/clock.ts';
import type { MeshError } from '../../../core/errors.ts';
import { runGroup } from '../../../core/lifecycle.ts';
import type { Log } from '../../../core/log.ts';
import type { ObjectWatch, WatchedKind } from '../../../core/registry/index.ts';
import { formatViolation } from '../../../core/validate.ts';
import type { ObjectKey, OwnedObject } from '../contract.ts';
import type { ObjectSet } from '../object-set.ts';
import { describeKey } from '../ref.ts';
import { WatchedObjects, type WatchedObjectsOptions } from './watched-objects.ts';
import type { WatchedRecords } from './watched-records.ts';

export interface WatchedSourceOptions extends Omit<WatchedObjectsOptions, 'onRefused'> {
  readonly set: ObjectSet;
  readonly records: WatchedRecords;
  readonly clock: Clock;
  readonly log: Log;
}

const retryMs = 1_000;

/** The objects of one system as a source of the set: what was in force is kept durably, and is in force before the system is asked. */
export class WatchedSource {
  readonly #options: WatchedSourceOptions;
  readonly #objects: WatchedObjects;
  /** What the store holds; undefined: of an earlier process. */
  readonly #stored = new Map<ObjectKey, OwnedObject | undefined>();
  readonly #unread = new Map<WatchedKind, MeshError>();
  #restored = false;
  #wake: () => void = () => {};
  #dirty = false;

  constructor(options: WatchedSourceOptions) {
    const { log, owner } = options;
    this.#options = options;
    const onRefused: WatchedObjectsOptions['onRefused'] = (key, violations, kept) => {
      const fields = { source: owner.source, violations: violations.map(formatViolation) };
      if (violations.length === 0) log.info(fields, `nothing is wrong with ${describeKey(key)} any more`);
      else log.warn(fields, `${describeKey(key)} was refused; ${kept ? 'the last good one stays in force' : 'nothing of it is in force'}`);
    };
    this.#objects = new WatchedObjects({ ...options, onRefused });
  }

  /** Kinds that cannot be read now, and why. What was known of them is in force. */
  unread(): ReadonlyMap<WatchedKind, MeshError> {
    return this.#unread;
  }

  /** Puts into force what an earlier process had. Rejects with STORE_UNAVAILABLE. */
  async restore(): Promise<void> {
    const { records, owner } = this.#options;
    const kept = await records.load(owner.source);
    for (const key of kept.keys()) this.#stored.set(key, undefined);
    this.#objects.restore(kept);
    this.#restored = true;
    this.#publish();
  }

  /** Follows the system until `signal` aborts; everything has ended then. */
  async run(watch: ObjectWatch, signal: AbortSignal): Promise<void> {
    if (!this.#restored) await this.restore();
    const say = () => {
      this.#dirty = true;
      this.#wake();
    };
    const { log, owner } = this.#options;
    const sink: Parameters<ObjectWatch['run']>[0] = {
      replace: (kind, namespace, objects) => {
        this.#objects.replace(kind, namespace, objects);
        say();
      },
      put: (kind, object) => {
        this.#objects.put(kind, object);
        say();
      },
      remove: (kind, namespace, name) => {
        this.#objects.remove(kind, namespace, name);
        say();
      },
      absent: (kind) => {
        this.#objects.replace(kind, undefined, []);
        say();
      },
      unread: (kind, error) => {
        const before = this.#unread.get(kind);
        if (error === undefined) this.#unread.delete(kind);
        else this.#unread.set(kind, error);
        if (error?.message === before?.message) return;
        const what = `${kind.kind} objects (${kind.group})`;
        if (error === undefined) log.info({ source: owner.source }, `${what} can be read again`);
        else log.warn({ source: owner.source, code: error.code }, `${what} cannot be read, what is known of them stands: ${error.message}`);
      },
    };
    await runGroup(signal, [(inner) => watch.run(sink, inner), (inner) => this.#handOn(inner)]);
  }

  /** Many changes that come at once are one; each is in force before it is durable. */
  async #handOn(signal: AbortSignal): Promise<void> {
    const { clock, log, owner } = this.#options;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      if (!this.#dirty) await new Promise<void>((resolve) => (this.#wake = resolve));
      if (signal.aborted) return;
      this.#dirty = false;
      this.#publish();
      try {
        await this.#write();
      } catch (error) {
        log.warn({ error, source: owner.source }, 'objects could not be written; they are in force, and may be older after a restart');
        this.#dirty = true;
        await clock.sleep(retryMs, signal).catch(() => undefined);
      }
    }
  }

  #publish(): void {
    const source = this.#objects.source();
    if (source !== undefined) this.#options.set.setSource(source);
  }

  async #write(): Promise<void> {
    const { records, owner } = this.#options;
    const source = this.#objects.source();
    if (source === undefined) return;
    // What an earlier version understood and this one does not may be understood again by the next.
    const refused = new Set(source.refused?.map(({ key }) => key));
    await records.write(owner.source, this.#stored, source.objects, refused);
  }
}
