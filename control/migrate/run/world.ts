import type { Log } from '../../../core/log.ts';
import type { CallerCounts, ExternalGate, ExternalValue, Meter, MigrationState, Observation, SideCounts } from '../contract.ts';
import { isEnd, isRunning } from '../machine/index.ts';
import { within } from './alarm.ts';
import type { MigrationsOptions } from './contract.ts';

export interface Seen {
  readonly observation: Observation;
  readonly callers: readonly CallerCounts[];
}

const nothing: SideCounts = { requests: 0, errors: 0, connections: 0, connectionErrors: 0, latency: new Map(), latencySumMs: 0 };

/** Looks at the world for one migration. What it holds (a meter, gates that others answer) is of one run. */
export class World {
  readonly #options: MigrationsOptions;
  #run = 0;
  #meter: Meter | undefined;
  #gates: ReadonlyMap<string, ExternalGate> = new Map();

  constructor(options: MigrationsOptions) {
    this.#options = options;
  }

  /** Never rejects: what cannot be known is told as that. `intervalMs`: since the step began. Takes an interval at most. */
  async look(state: MigrationState, intervalMs: number, signal: AbortSignal): Promise<Seen> {
    this.#prepare(state);
    const { places, proxies } = this.#options;
    const [external, drain, nativeName] = await Promise.all([
      this.#ask(state, intervalMs, signal),
      this.#drain(state, signal),
      this.#nativeName(state, signal),
    ]);
    // After what had to be waited for, so that a breach is seen as early as it can be.
    const { from, to, callers } = this.#meter?.read() ?? { from: nothing, to: nothing, callers: [] };
    const observation = { from: copied(from), to: copied(to), places: places(state), proxies: proxies(state), external, nativeName };
    return { observation: drain === undefined ? observation : { ...observation, drain }, callers };
  }

  close(): void {
    this.#meter?.close();
    this.#meter = undefined;
    this.#gates = new Map();
  }

  #prepare(state: MigrationState): void {
    if (!isRunning(state.phase)) return;
    if (this.#run === state.run && this.#meter !== undefined) return;
    this.close();
    this.#run = state.run;
    this.#meter = this.#options.meter(state);
    this.#gates = new Map(
      state.spec.gates.flatMap((gate) => {
        const external = this.#options.external(gate);
        return external === undefined ? [] : [[gate.name, external] as const];
      }),
    );
  }

  async #ask(state: MigrationState, intervalMs: number, signal: AbortSignal): Promise<ReadonlyMap<string, ExternalValue>> {
    const judged = state.phase === 'mirroring' || state.phase === 'draining' || (state.phase === 'stepping' && state.step >= 0);
    if (!judged) return new Map();
    const { namespace, name, weight, step, spec } = state;
    const question = { namespace, migration: name, service: spec.service, weight, step, intervalMs };
    const answers = await Promise.all(
      [...this.#gates].map(async ([gate, external]) => {
        const late = (error: unknown): ExternalValue => ({ kind: 'no-data', reason: messageOf(error) });
        return [gate, await this.#within(state, (inner) => external.ask(question, inner), late, signal)] as const;
      }),
    );
    return new Map(answers);
  }

  async #drain(state: MigrationState, signal: AbortSignal): Promise<Observation['drain']> {
    if (state.phase !== 'draining') return undefined;
    return this.#within<Observation['drain']>(
      state,
      (inner) => this.#options.drain(state, inner),
      (error) => void this.#log.warn({ error, ...named(state) }, 'the old side of a migration could not be looked at; trying again'),
      signal,
    );
  }

  /** What is not known is told as what is not wanted: nothing goes on, and nothing ends, on a switch that nobody saw. */
  async #nativeName(state: MigrationState, signal: AbortSignal): Promise<Observation['nativeName']> {
    const wanted = state.nativeName;
    if (wanted === 'none') return 'none';
    if (state.phase === 'reserved' || isEnd(state.phase)) return wanted;
    return this.#within<Observation['nativeName']>(
      state,
      (inner) => this.#options.nativeName.bring(state, wanted, inner),
      (error) => {
        this.#log.warn(
          { error, ...named(state), wanted },
          'the native name of a migration could not be brought to what is wanted; trying again',
        );
        return wanted === 'switched' ? 'original' : 'switched';
      },
      signal,
    );
  }

  get #log(): Log {
    return this.#options.log;
  }

  #within<T>(
    { spec }: MigrationState,
    work: (signal: AbortSignal) => Promise<T>,
    otherwise: (error: unknown) => T,
    signal: AbortSignal,
  ): Promise<T> {
    return within(spec.intervalMs, work, otherwise, { clock: this.#options.clock, signal });
  }
}

/** A meter may go on counting in the maps that it gave. */
function copied(counts: SideCounts): SideCounts {
  return { ...counts, latency: new Map(counts.latency) };
}

function named({ namespace, name }: MigrationState): { readonly migration: string } {
  return { migration: `${namespace}/${name}` };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
