import type { Clock } from '../../core/clock.ts';
import { toMeshError } from '../../core/errors.ts';
import { Latest } from '../../core/latest.ts';
import { exponentialBackoff, isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { deepEqual, type OwningPublisher, type PublishedService } from '../../core/registry/index.ts';

/** Every 5 min what was written is compared with what is there, as others may have changed it. */
const recheckMs = 300_000;

/** So many rechecks in a row that found our records changed are another writer; then each wait doubles, up to as many rechecks as the pause says. */
const overruledLimit = 2;
const longestPause = 16;

/** Keeps one registry at what was last asked for: one call at a time, newest wish wins, retried with jitter until it holds. */
export class RegistryWriter {
  readonly publisher: OwningPublisher;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Log;
  readonly #wanted = new Latest<readonly PublishedService[]>();
  #conflicts: readonly string[] = [];
  #error = '';
  /** The wish that held when it was last looked at, and how often in a row it had to be written again since. */
  #held: readonly PublishedService[] | undefined;
  #overruled = 0;
  /** Rechecks to leave out. */
  #pause = 0;

  constructor(publisher: OwningPublisher, deps: { readonly clock: Clock; readonly random: () => number; readonly log: Log }) {
    this.publisher = publisher;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#log = deps.log;
  }

  /** What the registry should hold from now on. */
  want(services: readonly PublishedService[]): void {
    if (!deepEqual(this.#wanted.current, services)) this.#wanted.set(services);
  }

  /** Names that somebody else holds, and the last error, for status. */
  problems(): readonly string[] {
    const rival = `${this.publisher.id}: somebody else keeps changing what Isthmus publishes there: find who writes to these records`;
    return [...this.#conflicts, ...(this.#overruled >= overruledLimit ? [rival] : []), ...(this.#error === '' ? [] : [this.#error])];
  }

  /** Until `signal` aborts. What was published stays. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#wanted.close();
    signal.addEventListener('abort', stop, { once: true });
    const recheck = this.#recheck(signal);
    try {
      for await (const services of this.#wanted) {
        if (signal.aborted) break;
        await this.#write(services, signal);
      }
    } finally {
      signal.removeEventListener('abort', stop);
      await recheck;
    }
  }

  async #recheck(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(recheckMs, signal).catch(() => undefined);
      // Two writers that each restore their own would go on for ever: the one that yields is this one.
      this.#pause -= 1;
      if (this.#pause >= 0) continue;
      const now = this.#wanted.current;
      if (!signal.aborted && now !== undefined) this.#wanted.set(now);
    }
  }

  async #write(services: readonly PublishedService[], signal: AbortSignal): Promise<void> {
    const backoff = exponentialBackoff({ baseMs: 200, maxMs: 15_000, random: this.#random });
    // A newer wish ends the retries of an older one.
    while (!signal.aborted && this.#wanted.current === services) {
      try {
        const { written, removed, conflicts } = await this.publisher.reconcile(services, signal);
        if (this.#held === services) this.#overruled = written + removed > 0 ? this.#overruled + 1 : 0;
        this.#pause = this.#overruled < overruledLimit ? 0 : Math.min(longestPause, 2 ** (this.#overruled - 1)) - 1;
        this.#held = services;
        if (written + removed > 0) this.#log.info({ publisher: this.publisher.id, written, removed }, 'imported services published');
        for (const conflict of conflicts) {
          if (!this.#conflicts.includes(conflict)) this.#log.warn({ publisher: this.publisher.id, conflict }, 'not published');
        }
        this.#conflicts = conflicts;
        this.#error = '';
        return;
      } catch (error) {
        if (isAborted(error) || signal.aborted) return;
        const failure = toMeshError(error, 'REGISTRY_UNREACHABLE');
        if (this.#error === '')
          this.#log.warn({ publisher: this.publisher.id, error: failure.message }, 'publishing failed: it is tried again');
        this.#error = `${this.publisher.id}: ${failure.message}`;
        await this.#clock.sleep(backoff.next(), signal).catch(() => undefined);
      }
    }
  }
}
