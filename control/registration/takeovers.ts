import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Instances } from './instances.ts';

export interface TakeoversOptions {
  readonly instances: Instances;
  readonly clock: Clock;
  readonly log: Log;
}

/** So many times within `windowMs` one start of an instance must have put another out that was still there. A machine that hangs and is reset does so once. */
const many = 3;
const windowMs = 600_000;
/** Instances that are watched at once; the oldest is forgotten. */
const mostWatched = 4_096;

interface Seen {
  times: number[];
  readonly sources: Set<string>;
}

/**
 * Starts of one instance that fence each other by turns: a copied disk, or two machines with one state directory. Each of them is served by
 * itself, one at a time; what is said here is for people.
 */
export class Takeovers {
  readonly #options: TakeoversOptions;
  readonly #seen = new Map<string, Seen>();

  constructor(options: TakeoversOptions) {
    this.#options = options;
  }

  /** One start has put out another that was still there, or was put off by a newer one. `sources`: the IPs that both come from. */
  async note(key: string, sources: readonly string[]): Promise<void> {
    const { instances, clock, log } = this.#options;
    const now = clock.monotonic();
    const seen = this.#seen.get(key) ?? { times: [], sources: new Set<string>() };
    this.#seen.delete(key);
    this.#seen.set(key, seen);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > mostWatched && oldest !== undefined) this.#seen.delete(oldest);
    seen.times = [...seen.times.filter((at) => now - at < windowMs), now].slice(-many);
    for (const source of sources) if (seen.sources.size < 8) seen.sources.add(source);
    if (seen.times.length < many) return;
    const said = [...seen.sources].sort();
    log.warn({ registration: key, sources: said }, 'clone suspected: two starts of one instance fence each other by turns');
    await instances.setClone(key, { at: clock.now(), sources: said });
  }
}
