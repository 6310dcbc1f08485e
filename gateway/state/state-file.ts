import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { SavedResource } from '../../core/xds/index.ts';
import { loadAge, loadState, type RestoredState, saveAge, saveState } from './disk.ts';

export interface StateFileOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the waiting between writes. */
  readonly signal: AbortSignal;
  readonly snapshot: () => readonly SavedResource[];
  /** Of what `snapshot` gives. */
  readonly ageMs: () => number;
}

/** Changes that come together are written together, ms. */
const saveDelayMs = 200;
/** After a write that failed, ms. */
const retryMs = 5_000;
/** How far the age on disk may be behind while nothing changes, ms. */
const ageEveryMs = 30_000;

/** Keeps the newest state on disk. A write that fails leaves the file before it, is said once, and is tried again. */
export class StateFile {
  readonly #options: StateFileOptions;
  #dirty = false;
  #failing = false;
  #saving: Promise<void> | undefined;
  #agedAt: number;

  constructor(options: StateFileOptions) {
    this.#options = options;
    this.#agedAt = options.clock.monotonic();
  }

  /** What the last run kept, with its age now. What is there and cannot be used is said, and counts as none. */
  async load(): Promise<RestoredState> {
    const { file, clock, log } = this.#options;
    const kept = await loadState(file);
    if (kept.fault !== undefined) {
      log.warn({ file, fault: kept.fault }, 'the kept state is refused whole, and the control plane asked for everything');
      return kept;
    }
    const later = await loadAge(ageFile(file));
    const newest = later !== undefined && later.savedAtMs > kept.savedAtMs ? later : kept;
    return { ...kept, ageMs: newest.ageMs + Math.max(0, clock.now() - newest.savedAtMs) };
  }

  changed(): void {
    this.#dirty = true;
    this.#start(() => this.#saveSoon());
  }

  /** The control plane says that what we have is all there is. */
  confirmed(): void {
    const { clock } = this.#options;
    // The age must never look better than that of the state beside it.
    if (this.#dirty || clock.monotonic() - this.#agedAt < ageEveryMs) return;
    this.#start(() => this.#attempt(() => saveAge(ageFile(this.#options.file), this.#age())));
  }

  /** Before the signal: what has come is on disk when it resolves, or was said to be lost, or takes longer than `ms`. */
  async settle(ms: number): Promise<void> {
    const over = new AbortController();
    await Promise.race([this.#saving, this.#options.clock.sleep(ms, over.signal).catch(() => undefined)]);
    over.abort();
  }

  /** After the signal: what came last is on disk when it resolves, or was said to be lost. */
  async finish(): Promise<void> {
    await this.#saving;
    if (this.#dirty) await this.#save();
  }

  #start(task: () => Promise<unknown>): void {
    if (this.#options.signal.aborted) return;
    const run = async () => void (await task());
    this.#saving ??= run().finally(() => {
      this.#saving = undefined;
      if (this.#dirty) this.#start(() => this.#saveSoon());
    });
  }

  async #saveSoon(): Promise<void> {
    const { clock, signal } = this.#options;
    try {
      while (this.#dirty) {
        await clock.sleep(this.#failing ? retryMs : saveDelayMs, signal);
        await this.#save();
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }

  async #save(): Promise<void> {
    this.#dirty = false;
    const { file, snapshot } = this.#options;
    if (!(await this.#attempt(() => saveState(file, snapshot(), this.#age())))) this.#dirty = true;
  }

  async #attempt(write: () => Promise<void>): Promise<boolean> {
    const { file, clock, log } = this.#options;
    this.#agedAt = clock.monotonic();
    try {
      await write();
      if (this.#failing) log.info({ file }, 'the state can be kept again');
      this.#failing = false;
      return true;
    } catch (error) {
      if (!this.#failing)
        log.error({ file, error: String(error) }, 'the state cannot be kept: a restart without control plane would use an older one');
      this.#failing = true;
      return false;
    }
  }

  #age() {
    return { ageMs: Math.round(this.#options.ageMs()), savedAtMs: this.#options.clock.now() };
  }
}

function ageFile(file: string): string {
  return `${file}.age`;
}
