import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import type { History } from './history.ts';
import { closeLevel, type Database, type OpenedLevel, openLevel, probeDisk, storeError } from './level-file.ts';
import { Draft, type MemoryState, stateKey } from './memory-state.ts';

interface Job {
  readonly decide: (draft: Draft) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Of what shares one sync; a batch is never split. */
const groupBytes = 4 * 1024 * 1024;
const groupJobs = 1024;
const retryMs = 500;

/**
 * The only writer. Transactions that come while one sync runs are decided one after the other and share the next sync.
 * After a failed write the database's log is in doubt, so it is opened anew, as soon as the disk takes writes again.
 */
export class Committer {
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #history: History;
  readonly #reopened: (state: MemoryState) => void;
  #opened: OpenedLevel;
  #queue: Job[] = [];
  #running: Promise<void> | undefined;
  #broken: { error: MeshError; retryAt: number } | undefined;
  #reopening: Promise<void> | undefined;
  #closed = false;

  /** `reopened` is told what is on disk after it had to be read anew. */
  constructor(dir: string, clock: Clock, opened: OpenedLevel, history: History, reopened: (state: MemoryState) => void) {
    this.#dir = dir;
    this.#clock = clock;
    this.#opened = opened;
    this.#history = history;
    this.#reopened = reopened;
  }

  get state(): MemoryState {
    return this.#opened.state;
  }

  /** For reads. What it shows has been synced. */
  async database(): Promise<Database> {
    if (this.#closed) throw closedError(this.#dir);
    await this.#reopening;
    if (this.#opened.db.status !== 'open') await this.#recover();
    return this.#opened.db;
  }

  /** Resolves with what `decide` returned once what it drafted is on disk; when `decide` throws nothing is written for it. */
  submit<T>(decide: (draft: Draft) => T): Promise<T> {
    if (this.#closed) return Promise.reject(closedError(this.#dir));
    const done = new Promise<T>((resolve, reject) => {
      this.#queue.push({ decide, resolve: resolve as (value: unknown) => void, reject });
    });
    this.#running ??= this.#run();
    return done;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#running;
    await this.#reopening;
    await closeLevel(this.#dir, this.#opened.db);
  }

  async #run(): Promise<void> {
    // One turn of the event loop, so that callers of the same turn share the first sync too.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#commitGroup();
    this.#running = undefined;
  }

  async #commitGroup(): Promise<void> {
    if (this.#broken !== undefined) {
      try {
        await this.#recover();
      } catch (error) {
        for (const job of this.#queue.splice(0)) job.reject(error);
        return;
      }
    }
    const draft = new Draft(this.#opened.state);
    const decided: { job: Job; value: unknown }[] = [];
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
      try {
        decided.push({ job, value: job.decide(draft) });
      } catch (error) {
        job.reject(error);
      }
      if (draft.bytes >= groupBytes || decided.length >= groupJobs) break;
    }
    try {
      await this.#write(draft);
    } catch (error) {
      const failure = storeError(this.#dir, error);
      this.#broken = { error: failure, retryAt: this.#clock.monotonic() };
      for (const { job } of decided) job.reject(failure);
      return;
    }
    draft.commit();
    this.#history.append(draft.batches);
    for (const { job, value } of decided) job.resolve(value);
  }

  async #write(draft: Draft): Promise<void> {
    if (draft.writes.size === 0) return;
    const batch = this.#opened.db.batch();
    for (const [key, bytes] of draft.writes) {
      if (bytes === undefined) batch.del(key);
      else batch.put(key, bytes);
    }
    batch.put(stateKey, draft.stateRecord());
    await batch.write({ sync: true });
  }

  async #recover(): Promise<void> {
    this.#reopening ??= this.#reopen().finally(() => {
      this.#reopening = undefined;
    });
    await this.#reopening;
  }

  async #reopen(): Promise<void> {
    if (this.#broken !== undefined && this.#clock.monotonic() < this.#broken.retryAt) throw this.#broken.error;
    try {
      await probeDisk(this.#dir);
      await closeLevel(this.#dir, this.#opened.db);
      const { revision } = this.#opened.state;
      this.#opened = await openLevel(this.#dir);
      this.#broken = undefined;
      this.#reopened(this.#opened.state);
      // A write that was reported as unknown did reach the disk; watchers have to read it.
      if (this.#opened.state.revision !== revision) this.#history.restartAt(this.#opened.state.revision);
    } catch (error) {
      const failure = storeError(this.#dir, error);
      this.#broken = { error: failure, retryAt: this.#clock.monotonic() + retryMs };
      throw failure;
    }
  }
}

function closedError(dir: string): MeshError {
  return new MeshError('STORE_UNAVAILABLE', `store in ${dir} has been closed`);
}
