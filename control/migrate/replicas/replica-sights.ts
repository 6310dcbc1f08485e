import type { Clock } from '../../../core/clock.ts';
import { isAborted } from '../../../core/lifecycle.ts';
import type { Log } from '../../../core/log.ts';
import type { Meter, MigrationState, Observation } from '../contract.ts';
import { isRunning } from '../machine/index.ts';
import { Pool, type Pooled } from './pool.ts';
import type { Sight, Sights } from './sight.ts';
import type { SightBoard } from './sight-board.ts';

export interface ReplicaSightsOptions {
  /** Absent: there is one replica. */
  readonly board?: SightBoard;
  readonly clock: Clock;
  readonly log: Log;
  /** As this replica knows them. */
  readonly states: () => readonly MigrationState[];
  /** Of this replica's own clients. */
  readonly meter: (state: MigrationState) => Meter;
  readonly proxies: (state: MigrationState) => Sight['proxies'];
  /** Whom the leader has known as callers, of all replicas. */
  readonly recorded: (state: MigrationState) => readonly string[];
}

/** What a leader remembers of recorded callers. Monotonic ms. */
interface Followed {
  /** When it last looked. */
  readonly at: number;
  /** When each was last connected anywhere, or was first looked for. */
  readonly seen: ReadonlyMap<string, number>;
}

const noTimes: ReadonlyMap<string, number> = new Map();
/** A caller that is neither connected nor heard of for so long has ended: it calls nobody. ms. */
export const callerGoneMs = 60_000;

interface Measured {
  readonly run: number;
  readonly meter: Meter;
}

/** Where nothing runs, until somebody looks again, ms. */
const idleMs = 1_000;

/** On every replica: measures what its own clients do while a migration runs, tells the others, and gives its leader what all of them have seen. */
export class ReplicaSights {
  readonly #options: ReplicaSightsOptions;
  readonly #measured = new Map<string, Measured>();
  #others: ReadonlyMap<string, Sights> = new Map();
  readonly #followed = new Map<string, Followed>();
  #told = false;

  constructor(options: ReplicaSightsOptions) {
    this.#options = options;
  }

  /** Twice an interval of the fastest that runs, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { board, clock, log } = this.#options;
    try {
      while (!signal.aborted) {
        const running = this.#options.states().filter(({ phase }) => isRunning(phase));
        await this.#exchange(running).catch((error: unknown) =>
          log.warn({ error }, 'what replicas measure could not be told to each other'),
        );
        await clock.sleep(Math.min(idleMs, ...running.map(({ spec }) => spec.intervalMs / 2)), signal);
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    } finally {
      this.#forget(new Set());
      await board?.close();
    }
  }

  /** For the leader of a run: sums over all replicas, since this was called. */
  meter(state: MigrationState): Meter {
    const pool = new Pool();
    const look = () => this.#look(pool, state);
    look();
    return { read: look, close: () => undefined };
  }

  /** For the leader, at each of its looks. */
  proxies(state: MigrationState): Observation['proxies'] {
    const { heard, connected, ...proxies } = this.#look(new Pool(), state).proxies;
    const missing = this.#missing(state, heard, connected);
    return { ...proxies, missing, known: [...new Set([...heard, ...proxies.silent, ...connected, ...missing])].sort() };
  }

  /** Recorded callers without a stream at any replica: as long as they report, or may come back. */
  #missing(state: MigrationState, heard: ReadonlySet<string>, connected: ReadonlySet<string>): readonly string[] {
    const now = this.#options.clock.monotonic();
    const before = this.#followed.get(idOf(state));
    // Another may have led meanwhile, and seen what this one has not.
    const seen = before === undefined || now - before.at > callerGoneMs + state.spec.intervalMs ? noTimes : before.seen;
    const times = new Map<string, number>();
    const missing: string[] = [];
    for (const name of this.#options.recorded(state)) {
      const since = connected.has(name) ? now : (seen.get(name) ?? now);
      const mayCall = heard.has(name) || now - since < callerGoneMs;
      if (mayCall) times.set(name, since);
      if (mayCall && !connected.has(name)) missing.push(name);
    }
    this.#followed.set(idOf(state), { at: now, seen: times });
    return missing;
  }

  #look(pool: Pool, state: MigrationState): Pooled {
    const id = idOf(state);
    const others = [...this.#others].flatMap(([replica, sights]) => {
      const sight = sights.get(id);
      return sight === undefined ? [] : [[replica, sight] as const];
    });
    return pool.look(this.#own(state), new Map(others));
  }

  async #exchange(running: readonly MigrationState[]): Promise<void> {
    this.#forget(new Set(running.map(idOf)));
    if (running.length === 0) this.#others = new Map();
    const { board } = this.#options;
    if (board === undefined || (running.length === 0 && !this.#told)) return;
    await board.publish(new Map(running.map((state) => [idOf(state), this.#own(state)])));
    this.#told = running.length > 0;
    if (running.length > 0) this.#others = await board.others();
  }

  #own(state: MigrationState): Sight {
    const { from, to, callers } = this.#meterOf(state).read();
    return { from, to, callers, proxies: this.#options.proxies(state) };
  }

  #meterOf(state: MigrationState): Meter {
    const id = idOf(state);
    const known = this.#measured.get(id);
    if (known?.run === state.run) return known.meter;
    known?.meter.close();
    const meter = this.#options.meter(state);
    this.#measured.set(id, { run: state.run, meter });
    return meter;
  }

  #forget(running: ReadonlySet<string>): void {
    for (const id of this.#followed.keys()) if (!running.has(id)) this.#followed.delete(id);
    for (const [id, { meter }] of this.#measured) {
      if (running.has(id)) continue;
      meter.close();
      this.#measured.delete(id);
    }
  }
}

function idOf({ namespace, name }: MigrationState): string {
  return `${namespace}/${name}`;
}
