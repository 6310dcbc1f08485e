import type { Clock } from '../../core/clock.ts';
import { toMeshError } from '../../core/errors.ts';
import { Latest } from '../../core/latest.ts';
import { exponentialBackoff, isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { deepEqual, type OwningPublisher, type PublishedService } from '../../core/registry/index.ts';

/** Every 5 min what was written is compared with what is there, as others may have changed it. */
const recheckMs = 300_000;

/** Keeps one registry at what was last asked for: one call at a time, newest wish wins, retried with jitter until it holds. */
export class RegistryWriter {
  readonly publisher: OwningPublisher;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Log;
  readonly #wanted = new Latest<readonly PublishedService[]>();
  #conflicts: readonly string[] = [];
  #error = '';

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
    return this.#error === '' ? this.#conflicts : [...this.#conflicts, this.#error];
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
