import type { Database } from './level-file.ts';

interface Wanted {
  readonly key: string;
  readonly resolve: (bytes: Buffer | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Of what is read at once: one thread of the pool does it, and nobody should wait long for others' keys. */
const groupKeys = 256;

/**
 * Reads of single keys. Those that are asked for while one read runs share the next: going to a thread of the pool and back costs four times
 * what finding a record does. A read begins after it was asked for, so it shows whatever was synced before.
 */
export class GroupReads {
  readonly #database: () => Promise<Database>;
  #wanted: Wanted[] = [];
  #running = false;

  constructor(database: () => Promise<Database>) {
    this.#database = database;
  }

  /** Undefined: there is no such key. Rejects with what the database says. */
  get(key: string): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      this.#wanted.push({ key, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // One turn of the microtasks, so that callers of the same turn share the first read too.
    await Promise.resolve();
    while (this.#wanted.length > 0) await this.#read(this.#wanted.splice(0, groupKeys));
    this.#running = false;
  }

  async #read(group: readonly Wanted[]): Promise<void> {
    try {
      const db = await this.#database();
      const found = await db.getMany(group.map(({ key }) => key)).catch(() => undefined);
      // One record that cannot be read is the trouble of whoever asked for it.
      if (found === undefined) await Promise.all(group.map(({ key, resolve, reject }) => db.get(key).then(resolve, reject)));
      else for (const [at, { resolve }] of group.entries()) resolve(found[at]);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
