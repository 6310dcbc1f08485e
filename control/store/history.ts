import { MeshError } from '../../core/errors.ts';
import type { StoreChange, WatchBatch } from '../../core/store.ts';

export interface HistoryLimits {
  readonly batches: number;
  readonly bytes: number;
}

/** The newest changes, bounded. Watchers read it at their own pace; one that falls out of it has to start over. */
export class History {
  readonly #limits: HistoryLimits;
  #batches: WatchBatch[] = [];
  #bytes = 0;
  #goneThrough: number;
  #closed = false;
  readonly #waiters = new Set<() => void>();

  /** `revision`: everything up to it is not in here. */
  constructor(revision: number, limits: HistoryLimits) {
    this.#goneThrough = revision;
    this.#limits = limits;
  }

  append(batches: readonly WatchBatch[]): void {
    for (const batch of batches) {
      this.#batches.push(batch);
      this.#bytes += sizeOf(batch);
    }
    let drop = 0;
    while (this.#batches.length - drop > this.#limits.batches || (this.#bytes > this.#limits.bytes && this.#batches.length - drop > 1)) {
      const oldest = this.#batches[drop];
      if (oldest === undefined) break;
      this.#bytes -= sizeOf(oldest);
      this.#goneThrough = oldest.revision;
      drop += 1;
    }
    if (drop > 0) this.#batches = this.#batches.slice(drop);
    this.#wake();
  }

  /** Forgets everything: what is on disk now is at `revision`, and how it came there is not known. */
  restartAt(revision: number): void {
    this.#batches = [];
    this.#bytes = 0;
    this.#goneThrough = revision;
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  async *watch(prefix: string, after: number, signal: AbortSignal): AsyncGenerator<WatchBatch> {
    let seen = after;
    while (!signal.aborted && !this.#closed) {
      if (seen < this.#goneThrough) {
        throw new MeshError(
          'COMPACTED',
          `changes after revision ${seen} are gone, the oldest kept is ${this.#goneThrough + 1}: list again`,
        );
      }
      const batch = this.#firstAfter(seen);
      if (batch === undefined) {
        await this.#appended(signal);
        continue;
      }
      seen = batch.revision;
      const changes = batch.changes.filter((c) => keyOf(c).startsWith(prefix));
      if (changes.length > 0) yield { revision: batch.revision, changes };
    }
  }

  #firstAfter(revision: number): WatchBatch | undefined {
    let low = 0;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#batches[middle]?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#batches[low];
  }

  #appended(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiters.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiters.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }
}

function keyOf(change: StoreChange): string {
  return change.kind === 'put' ? change.entry.key : change.key;
}

function sizeOf(batch: WatchBatch): number {
  return batch.changes.reduce((sum, c) => sum + 100 + keyOf(c).length + (c.kind === 'put' ? c.entry.value.length : 0), 100);
}
