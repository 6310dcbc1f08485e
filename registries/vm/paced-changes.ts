import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';

/** Rounds that take less are followed by the next at once. */
const shortMs = 0.5;
/** The rest of the process has so many times what a round took to itself, at most `longestPauseMs`. */
const share = 10;
const longestPauseMs = 500;

/**
 * Changes that are told in rounds: what comes while one is told, or in the pause after it, goes together in the next, the latest of each key. A round
 * costs what the services in it have of members, so that without this a fleet that starts at once would cost the square of its size.
 */
export class PacedChanges<T> {
  readonly #tell: (changes: readonly (readonly [key: string, value: T])[]) => Promise<void>;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #onFailure: () => void;
  #waiting = new Map<string, T>();
  #running: Promise<void> | undefined;
  #failure: unknown;

  /** `tell` is never called by two at once, and no more once it has rejected, which `onFailure` hears, or `signal` has aborted. */
  constructor(options: {
    readonly tell: (changes: readonly (readonly [key: string, value: T])[]) => Promise<void>;
    readonly onFailure: () => void;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  }) {
    this.#tell = options.tell;
    this.#onFailure = options.onFailure;
    this.#clock = options.clock;
    this.#signal = options.signal;
  }

  add(key: string, value: T): void {
    this.#waiting.set(key, value);
    this.#running ??= this.#run();
  }

  /** The same, for what was known before: what waits already is newer, and stays. */
  addKnown(key: string, value: T): void {
    if (!this.#waiting.has(key)) this.add(key, value);
  }

  /** Resolves when nothing is told any more; after the signal has aborted that is soon. Rejects with what `tell` rejected with. */
  async idle(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run(): Promise<void> {
    // One turn later, so that what is said at once goes together.
    await Promise.resolve();
    try {
      while (this.#waiting.size > 0 && !this.#signal.aborted) {
        const round = [...this.#waiting];
        this.#waiting = new Map();
        const began = this.#clock.monotonic();
        await this.#tell(round);
        const tookMs = this.#clock.monotonic() - began;
        if (tookMs > shortMs) await this.#clock.sleep(Math.min(longestPauseMs, share * tookMs), this.#signal);
      }
      this.#running = undefined;
    } catch (error) {
      if (isAborted(error)) return;
      this.#failure = error;
      this.#onFailure();
    }
  }
}
