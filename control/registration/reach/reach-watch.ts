import type { Clock } from '../../../core/clock.ts';
import { MeshError } from '../../../core/errors.ts';
import { isAborted } from '../../../core/lifecycle.ts';
import type { Log } from '../../../core/log.ts';
import type { Report } from '../../../core/xds/gen/isthmus/agent/v1/agent.ts';
import {
  placeOf,
  type Reach,
  type RegisteredInstance,
  type RegisteredService,
  type RegisteredWorkload,
} from '../../../registries/vm/index.ts';
import type { Instances } from '../instances.ts';
import { judgeLook, type Look } from './judge-look.ts';

export interface ReachWatchOptions {
  readonly instances: Instances;
  readonly look: (workload: RegisteredWorkload, signal: AbortSignal) => Promise<Look | undefined>;
  readonly clock: Clock;
  /** [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly pace?: Partial<ReachPace>;
}

export interface ReachPace {
  /** Between two looks at a place that is proven, at least. Default 10 min, up to half as much again. */
  readonly everyMs: number;
  /** After a look that proved nothing, doubling up to `everyMs`. Default 5 s. */
  readonly againMs: number;
  /** Between two looks at one place, whoever registers it. Default 2 s. */
  readonly placeMs: number;
  /** Looks begun in a second. Default 50. */
  readonly perSecond: number;
  /** Looks at once. Default 32. */
  readonly atOnce: number;
}

const usualPace: ReachPace = { everyMs: 600_000, againMs: 5_000, placeMs: 2_000, perSecond: 50, atOnce: 32 };
const tickMs = 1_000;

interface Watched {
  readonly generation: number;
  workload: RegisteredWorkload;
  reach: Reach | undefined;
  /** Monotonic ms. */
  dueAt: number;
  failures: number;
  looking: boolean;
}

/**
 * Connects back to what registered at this replica: at once, after each change of its place, and now and then. Never in the way of a
 * registration, and never anywhere but where one says, at a pace that makes no scanner of it.
 */
export class ReachWatch {
  readonly #options: ReachWatchOptions;
  readonly #pace: ReachPace;
  readonly #watched = new Map<string, Watched>();
  /** When each place may be looked at again. */
  readonly #places = new Map<string, number>();
  #running = 0;
  #credit: number;
  #wake: () => void = () => {};
  #stirred = false;

  constructor(options: ReachWatchOptions) {
    this.#options = options;
    this.#pace = { ...usualPace, ...options.pace };
    this.#credit = this.#pace.perSecond;
  }

  /** An instance has registered here. `stored`: with the verdict that was known before. */
  registered(key: string, stored: RegisteredInstance): void {
    // Behind a NAT nobody can look: its tunnels are the proof.
    if (stored.role !== 'workload' || stored.tunnel !== undefined) return;
    const { clock, random } = this.#options;
    const { reach, generation } = stored;
    const proven = reach?.state === 'proven' && reach.place === placeOf(stored);
    // A control plane that was restarted hears all of them at once.
    const dueAt = clock.monotonic() + (proven ? random() * this.#pace.everyMs : 0);
    this.#watched.set(key, { generation, workload: stored, reach, dueAt, failures: 0, looking: false });
    this.#stir();
  }

  gone(key: string, generation: number): void {
    if (this.#watched.get(key)?.generation === generation) this.#watched.delete(key);
  }

  /** The last verdict on an instance that is registered here. */
  of(key: string): Reach | undefined {
    return this.#watched.get(key)?.reach;
  }

  /** What its agent said last: an app that is down is not looked for, one that came up is. */
  reported(key: string, { draining, services: said }: Report): void {
    const watched = this.#watched.get(key);
    if (watched === undefined) return;
    const { services, draining: before } = watched.workload;
    const healthOf = (s: RegisteredService) => said.find((each) => each.namespace === s.namespace && each.name === s.name)?.healthy;
    if (before === draining && services.every((s) => (healthOf(s) ?? s.healthy) === s.healthy)) return;
    const after = services.map((s) => ({ ...s, healthy: healthOf(s) ?? s.healthy === true }));
    const cameUp = after.some((s, i) => s.healthy && services[i]?.healthy !== true);
    watched.workload = { ...watched.workload, draining, services: after };
    if (!cameUp || watched.reach?.state === 'proven') return;
    watched.dueAt = Math.min(watched.dueAt, this.#options.clock.monotonic());
    this.#stir();
  }

  /** Looks until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const looks = new Set<Promise<void>>();
    let filledAt = clock.monotonic();
    while (!signal.aborted) {
      const now = clock.monotonic();
      this.#credit = Math.min(this.#pace.perSecond, this.#credit + ((now - filledAt) / 1_000) * this.#pace.perSecond);
      filledAt = now;
      for (const [key, watched] of this.#due(now)) {
        const look = this.#look(key, watched, signal).catch((error: unknown) => {
          if (!signal.aborted) log.warn({ registration: key, error: String(error) }, 'an address could not be looked at: tried again');
        });
        looks.add(look);
        void look.finally(() => looks.delete(look));
      }
      await this.#pause(signal);
    }
    await Promise.all(looks);
  }

  /** What is looked at now, those that have waited longest first. */
  #due(now: number): (readonly [string, Watched])[] {
    for (const [place, until] of this.#places) if (until <= now) this.#places.delete(place);
    const due = [...this.#watched].filter(([, each]) => !each.looking && each.dueAt <= now && !this.#places.has(placeOf(each.workload)));
    due.sort(([, a], [, b]) => a.dueAt - b.dueAt);
    const chosen: (readonly [string, Watched])[] = [];
    for (const entry of due) {
      if (this.#credit < 1 || this.#running + chosen.length >= this.#pace.atOnce) break;
      const place = placeOf(entry[1].workload);
      if (this.#places.has(place)) continue;
      this.#places.set(place, now + this.#pace.placeMs);
      this.#credit -= 1;
      chosen.push(entry);
    }
    return chosen;
  }

  async #look(key: string, watched: Watched, signal: AbortSignal): Promise<void> {
    const { clock, random, log, instances } = this.#options;
    watched.looking = true;
    this.#running += 1;
    try {
      const look = await this.#options.look(watched.workload, signal);
      if (look === undefined || signal.aborted || this.#watched.get(key) !== watched) return;
      const before = watched.reach;
      const after = judgeLook(before, look, clock.now());
      watched.failures = look.state === 'proven' ? 0 : watched.failures + 1;
      if (after === before) return;
      watched.reach = after;
      await instances.setReach(key, watched.generation, after).catch(ignoreGone);
      if (after.state === before?.state && after.place === before.place) return;
      const said = { registration: key, place: after.place, reason: after.reason };
      if (after.state === 'proven' || after.state === 'unknown') log.info(said, `address ${after.state}`);
      else
        log.warn(said, after.state === 'other' ? 'somebody else answers at a registered address' : 'a registered address is not reached');
    } finally {
      this.#running -= 1;
      watched.looking = false;
      const { everyMs, againMs } = this.#pace;
      const backoff = watched.failures === 0 ? everyMs : Math.min(everyMs, againMs * 2 ** Math.min(watched.failures - 1, 16));
      watched.dueAt = clock.monotonic() + backoff * (1 + random() / 2);
      this.#stir();
    }
  }

  #stir(): void {
    this.#stirred = true;
    this.#wake();
  }

  async #pause(signal: AbortSignal): Promise<void> {
    if (this.#stirred) {
      this.#stirred = false;
      return;
    }
    const over = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    const end = () => over.abort();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    const slept = this.#options.clock.sleep(tickMs, over.signal).catch((error: unknown) => {
      if (!isAborted(error)) throw error;
    });
    await Promise.race([woken, slept]);
    this.#stirred = false;
    over.abort();
    signal.removeEventListener('abort', end);
    await slept;
  }
}

/** It has left, or registered again: its next start is looked at by itself. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof MeshError && (error.code === 'FENCED' || error.code === 'NOT_FOUND'))) throw error;
}
