import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { Instances } from './instances.ts';

export interface LivenessOptions {
  readonly instances: Instances;
  /** Silent for longer: unhealthy. */
  readonly ttlMs: number;
  /** Unhealthy for longer: forgotten. Default 24 h. */
  readonly removeAfterMs?: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * When each instance was last heard, on the monotonic clock. Nothing that was stored expires before a full TTL has passed since this
 * process started: silence while the control plane was away is not the agents'.
 */
export class Liveness {
  readonly #options: LivenessOptions;
  readonly #heard = new Map<string, number>();
  readonly #startedAt: number;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
  }

  heard(key: string): void {
    this.#heard.set(key, this.#options.clock.monotonic());
  }

  /** One pass over all registrations. */
  async sweep(): Promise<void> {
    const { instances, ttlMs, removeAfterMs = 86_400_000, clock, log } = this.#options;
    const all = await instances.list();
    const known = new Set(all.map(({ key }) => key));
    for (const key of this.#heard.keys()) if (!known.has(key)) this.#heard.delete(key);
    for (const { key, record } of all) {
      const silentMs = clock.monotonic() - (this.#heard.get(key) ?? this.#startedAt);
      try {
        if (silentMs > ttlMs + removeAfterMs && record.expired) {
          await instances.remove(key, record.generation);
          log.info({ key }, 'registration removed: silent for too long');
        } else if (silentMs > ttlMs && !record.expired) {
          await instances.markExpired(key, record.generation);
          log.warn({ key, silentMs: Math.round(silentMs) }, 'registration expired: its agent is silent');
        }
      } catch (error) {
        // Somebody spoke up meanwhile.
        if (!(error instanceof MeshError && (error.code === 'FENCED' || error.code === 'NOT_FOUND'))) throw error;
      }
    }
  }

  /** Sweeps four times a TTL until `signal` aborts. A singleton's task: only one replica may run it. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#options.clock.sleep(this.#options.ttlMs / 4, signal);
        await this.sweep();
      } catch (error) {
        if (isAborted(error)) return;
        this.#options.log.error({ error }, 'registrations could not be swept');
      }
    }
  }
}
