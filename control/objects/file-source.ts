import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { deepEqual } from '../../core/registry/index.ts';
import type { Store, StoreOp } from '../../core/store.ts';
import { firstSeenPrefix, put, read } from './applied/stored.ts';
import type { AppliableObject, ObjectKey, ObjectOwner, ObjectSource, OwnedObject } from './contract.ts';
import { ownedObject } from './owned.ts';
import { objectKey, refOf } from './ref.ts';

export interface FileObject {
  readonly object: AppliableObject;
  readonly document: OwnedObject['document'];
}

const batch = 100;

/** The configuration files as a source of objects. A file says nothing of its age, so when each object was first seen is kept durably. */
export class FileSource {
  readonly #owner: ObjectOwner;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  #stamps: Map<ObjectKey, number> | undefined;
  #objects: ReadonlyMap<ObjectKey, OwnedObject> = new Map();

  constructor(owner: ObjectOwner, store: Store, clock: Clock, log: Log) {
    this.#owner = owner;
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  async source(files: readonly FileObject[]): Promise<ObjectSource> {
    const keyed = new Map(files.map((f): [ObjectKey, FileObject] => [objectKey(refOf(f.document, f.object)), f]));
    const stamps = await this.#stamped(keyed);
    const make = (key: ObjectKey, { document, object }: FileObject): OwnedObject => {
      const before = this.#objects.get(key);
      return before !== undefined && deepEqual(before.document, document)
        ? before
        : ownedObject(document, object, this.#owner, stamps.get(key) ?? 0);
    };
    this.#objects = new Map([...keyed].map(([key, f]) => [key, make(key, f)]));
    return { owner: this.#owner, objects: this.#objects };
  }

  async #stamped(files: ReadonlyMap<ObjectKey, FileObject>): Promise<ReadonlyMap<ObjectKey, number>> {
    const before = this.#stamps ?? (await this.#load());
    const now = this.#clock.now();
    const stamps = new Map(
      [...files].map(([key, { object }]): [ObjectKey, number] => {
        const had = this.#objects.get(key);
        // Shared from now on: among the owners of its name it is new.
        const shared = had !== undefined && isShared(object) && !isShared(had.object);
        return [key, shared ? now : (before.get(key) ?? now)];
      }),
    );
    this.#stamps = stamps;
    const puts = [...stamps].filter(([key, at]) => before.get(key) !== at).map(([key, at]) => put(firstSeenPrefix + key, { at }));
    const deletes = [...before.keys()]
      .filter((key) => !stamps.has(key))
      .map((key): StoreOp => ({ op: 'delete', key: firstSeenPrefix + key }));
    const ops = [...puts, ...deletes];
    try {
      for (let at = 0; at < ops.length; at += batch) await this.#store.txn({ if: [], then: ops.slice(at, at + batch) });
    } catch (error) {
      this.#log.warn(
        { error },
        'when objects of the configuration files were first seen could not be written; they count as new after a restart',
      );
    }
    return stamps;
  }

  async #load(): Promise<Map<ObjectKey, number>> {
    const { entries } = await this.#store.list(firstSeenPrefix);
    return new Map(entries.map((e) => [e.key.slice(firstSeenPrefix.length), read<{ at: number }>(e.key, e.value).at]));
  }
}

function isShared(object: AppliableObject): boolean {
  return 'scope' in object && object.scope === 'mesh';
}
