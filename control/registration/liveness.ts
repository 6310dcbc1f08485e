import type { Clock } from '../../core/clock.ts';
import type { WorkloadGroupSpec } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { RegisteredInstance } from '../../registries/vm/index.ts';
import type { Instances } from './instances.ts';
import type { Presence } from './presence.ts';

export interface LivenessOptions {
  readonly instances: Instances;
  readonly presence: Presence;
  /** Silent for longer: expired, its health unknown. */
  readonly ttlMs: number;
  /** Silent for longer, ms: forgotten. Default: `expireAfterOf` without groups. */
  readonly expireAfter?: (record: RegisteredInstance) => number;
  /** Whether connections had to wait within the last `ms`. Default: never. */
  readonly crowded?: (ms: number) => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/** A machine that is off over night is still there in the morning. */
const usualExpiryMs = 86_400_000;

/** More than the longest life of an SVID, a week. */
const startsKeptMs = 8 * 86_400_000;
const forgetEveryMs = 3_600_000;

/** For so long after its start a control plane takes those who are not back for those who wait for their turn, while somebody does. */
const returnMs = 300_000;

/** How long an instance may be silent before it is forgotten, ms: as its group says, 24 h unless it does. Pure. */
export function expireAfterOf(record: RegisteredInstance, groupOf: (name: string) => WorkloadGroupSpec | undefined): number {
  const group = record.role === 'workload' && record.group !== undefined ? groupOf(record.group) : undefined;
  return group?.expireAfterMs ?? usualExpiryMs;
}

/**
 * When each instance was last heard, on the monotonic clock. A replica expires what registered with it, and what registered with one that is
 * gone; the latter not before a full TTL has passed here, in which nobody had to wait to be let in: silence while the control plane was away, or is too busy to hear them, is not
 * the agents'.
 */
export class Liveness {
  readonly #options: LivenessOptions;
  readonly #heard = new Map<string, { readonly at: number; readonly patienceMs: number }>();
  readonly #begunAt: number;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#begunAt = options.clock.monotonic();
  }

  /** Which replica hears what registers here. */
  get replica(): string {
    return this.#options.presence.replica;
  }

  /**
   * It has shown that it lives; when to ask for the next sign, ms: after a third of the TTL, or a whole one while others wait to be let in, who have more need of
   * the time that it takes. Then it may be silent for three TTLs.
   */
  heard(key: string): number {
    const { ttlMs, crowded = () => false, clock } = this.#options;
    const nextMs = Math.max(100, Math.floor(crowded(ttlMs) ? ttlMs : ttlMs / 3));
    this.#heard.set(key, { at: clock.monotonic(), patienceMs: Math.max(ttlMs, 3 * nextMs) });
    return nextMs;
  }

  /** One pass over all registrations. */
  async sweep(): Promise<void> {
    const { instances, ttlMs, expireAfter = () => usualExpiryMs, crowded = () => false, clock, log } = this.#options;
    const returning = clock.monotonic() - this.#begunAt < returnMs && crowded(ttlMs);
    const [all, others] = await Promise.all([instances.list(), this.#options.presence.others()]);
    const there = new Set(all.map(({ key }) => key));
    for (const key of this.#heard.keys()) if (!there.has(key)) this.#heard.delete(key);
    for (const { key, record } of all) {
      if (others.has(record.replica)) {
        this.#heard.delete(key);
        continue;
      }
      // Orphaned: its time starts when that is first seen.
      const now = clock.monotonic();
      const known = returning && record.replica !== this.replica ? undefined : this.#heard.get(key);
      const { at, patienceMs } = known ?? { at: now, patienceMs: ttlMs };
      if (known === undefined) this.#heard.set(key, { at, patienceMs });
      const silentMs = now - at;
      try {
        if (record.expired && silentMs > Math.max(ttlMs, expireAfter(record))) {
          await instances.remove(key, record.generation);
          log.info({ registration: key, silentMs: Math.round(silentMs) }, 'registration removed: silent for too long');
        } else if (silentMs > patienceMs && !record.expired) {
          await instances.markExpired(key, record.generation);
          log.warn({ registration: key, silentMs: Math.round(silentMs) }, 'registration expired: its agent is silent');
        }
      } catch (error) {
        // Somebody spoke up meanwhile.
        if (!(error instanceof MeshError && (error.code === 'FENCED' || error.code === 'NOT_FOUND'))) throw error;
      }
    }
  }

  /** Instances that left, or were forgotten, longer ago than any SVID lives: of fleets that come and go nothing stays for ever. */
  async forget(): Promise<void> {
    const { instances, clock, log } = this.#options;
    const gone = await instances.forgetStartsBefore(Math.floor((clock.now() - startsKeptMs) / 1_000));
    if (gone > 0) log.info({ instances: gone }, 'what was known of the starts of instances that are gone was forgotten');
  }

  /** Sweeps at once and four times a TTL until `signal` aborts, and forgets every hour. Every replica runs it. */
  async run(signal: AbortSignal): Promise<void> {
    let forgotten = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      try {
        await this.sweep();
        const now = this.#options.clock.monotonic();
        if (now - forgotten > forgetEveryMs) {
          await this.forget();
          forgotten = now;
        }
        await this.#options.clock.sleep(this.#options.ttlMs / 4, signal);
      } catch (error) {
        if (isAborted(error)) return;
        this.#options.log.error({ error }, 'registrations could not be swept');
        await this.#options.clock.sleep(this.#options.ttlMs / 4, signal).catch(() => undefined);
      }
    }
  }
}
