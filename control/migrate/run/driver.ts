import { isDeepStrictEqual } from 'node:util';
import type { MigrationSpec } from '../../../core/config/index.ts';
import type { MeshErrorCode } from '../../../core/errors.ts';
import { MeshError } from '../../../core/errors.ts';
import { isAborted } from '../../../core/lifecycle.ts';
import type { Term } from '../../leadership/index.ts';
import type { MigrationState } from '../contract.ts';
import {
  type Advanced,
  advance,
  isEnd,
  isReadable,
  isReplaced,
  isRunning,
  type Memory,
  newEvents,
  nextTurn,
  reserve,
  specDigest,
  statusOf,
} from '../machine/index.ts';
import { mostRecorded } from '../replicas/index.ts';
import { Alarm } from './alarm.ts';
import { blockersOf } from './blockers.ts';
import type { CallersRecord, LiveRecord, MigrationsOptions } from './contract.ts';
import { callersKey, liveKey, samplesKey, stateKey } from './keys.ts';
import type { KeptState, MigrationRecords } from './records.ts';
import { retire } from './retire.ts';
import { SampleBook } from './sample-book.ts';
import { readSamples } from './samples.ts';
import { type Seen, World } from './world.ts';

const quickMs = 1_000;
const retryMs = 1_000;
/** What is not in the set of objects for this long was deleted. */
const goneMs = 5_000;
/** Samples are large: they are kept with a transition, and after so many looks. */
const looksPerSamples = 20;

/** Drives one migration through one term of leadership: looks at each interval, and writes what comes of it, fenced. */
export class Driver {
  readonly #id: string;
  readonly #options: MigrationsOptions;
  readonly #records: MigrationRecords;
  readonly #term: Term;
  readonly #world: World;
  readonly #alarm = new Alarm();
  #memory: Memory | undefined;
  #book: SampleBook | undefined;
  #looks = 0;
  #goneSince: number | undefined;
  /** As it was at the last look. */
  #spec: MigrationSpec | undefined;
  /** Revision of its state: what this driver has looked at, or wrote itself, is no news to it. */
  #known = 0;
  #writing = false;

  constructor(id: string, options: MigrationsOptions, records: MigrationRecords, term: Term) {
    this.#id = id;
    this.#options = options;
    this.#records = records;
    this.#term = term;
    this.#world = new World(options);
  }

  /** Something that it looks at changed. */
  wake(): void {
    if (this.#writing) return;
    const kept = this.#records.state(this.#id);
    const gone = this.#objectIsGone();
    if (kept === undefined || kept.modRevision !== this.#known || gone !== (this.#goneSince !== undefined)) this.#alarm.ring();
    // What is only reserved follows its object, and nothing else: there may be a thousand of them.
    else if (kept.value.phase === 'reserved' && this.#options.objects.current()?.get(this.#id)?.spec !== this.#spec) this.#alarm.ring();
  }

  /** Until its state is gone or the term is over. Rejects with FENCED where another leads. */
  async run(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#term;
    try {
      while (!signal.aborted) {
        let waitMs: number | undefined;
        try {
          const began = clock.monotonic();
          const state = await this.#once();
          if (state === undefined) return;
          const period = periodOf(state, this.#goneSince !== undefined);
          waitMs = period === undefined ? undefined : Math.max(0, period - (clock.monotonic() - began));
        } catch (error) {
          if (signal.aborted) return;
          if (hasCode(error, 'FENCED')) throw error;
          if (!isAborted(error))
            log.warn({ error, migration: this.#id }, 'a migration could not be written; its weight stays, trying again');
          waitMs = retryMs;
          // Nothing is known about a write that was under way.
          await this.#records.refresh(stateKey(this.#id)).catch(() => undefined);
        }
        await this.#alarm.wait(waitMs, clock, signal);
      }
    } finally {
      this.#world.close();
    }
  }

  /** The state after one look; undefined: there is none any more. */
  async #once(): Promise<MigrationState | undefined> {
    const kept = this.#records.state(this.#id);
    if (kept === undefined) return undefined;
    if (!isReadable(kept.value)) {
      this.#options.log.error(
        { migration: this.#id },
        'a newer version wrote this migration: its weight stays, and this one does not drive it',
      );
      this.#known = kept.modRevision;
      return kept.value;
    }
    const object = this.#options.objects.current()?.get(this.#id);
    this.#spec = object?.spec;
    this.#known = kept.modRevision;
    const gone = this.#objectIsGone();
    this.#goneSince = gone ? (this.#goneSince ?? this.#options.clock.monotonic()) : undefined;
    if (this.#goneSince !== undefined && this.#options.clock.monotonic() - this.#goneSince >= goneMs) {
      const done = await this.#retire(kept);
      if (done !== 'stays') return done;
    }
    if (object !== undefined && kept.value.phase === 'reserved' && specDigest(object.spec) !== specDigest(kept.value.spec)) {
      const { value } = kept;
      await this.#write(kept, reserve(object.spec, value, value.createdAt));
    }
    const now = this.#records.state(this.#id) ?? kept;
    if (this.#isLost(now.value)) {
      // Durable, so that it never comes back when the one that has the service since is deleted.
      const { turn: _, ...rest } = now.value;
      await this.#write(now, { ...rest, released: true });
    }
    return this.#look(this.#records.state(this.#id) ?? kept);
  }

  async #look(kept: KeptState): Promise<MigrationState> {
    const { clock, replica, limit } = this.#options;
    const state = kept.value;
    const memory = this.#memory;
    const since = memory === undefined ? 0 : clock.monotonic() - memory.beganAt;
    const seen = await this.#world.look(state, since, this.#term.signal);
    const freeze = this.#records.freeze()?.value;
    const monotonic = clock.monotonic();
    const advanced = advance(state, {
      observation: seen.observation,
      now: clock.now(),
      monotonic,
      replica,
      blockers: blockersOf(state, this.#states(), limit),
      turn: nextTurn(state, this.#states()),
      ...(memory === undefined ? {} : { memory }),
      ...(freeze === undefined ? {} : { freeze }),
    });
    this.#looks += 1;
    await this.#sample(state, monotonic, seen);
    await this.#keep(kept, advanced, seen, monotonic);
    this.#memory = advanced.memory;
    if (isEnd(advanced.state.phase)) this.#world.close();
    return advanced.state;
  }

  /** One transaction: the transition, and what others may show of it. */
  async #keep(kept: KeptState, { state, memory, gates }: Advanced, { observation }: Seen, monotonic: number): Promise<void> {
    const { clock, limit } = this.#options;
    const changed = state !== kept.value;
    // What only waits is told by its state.
    if (!changed && (!isRunning(state.phase) || state.phase === 'waiting')) return;
    const status = statusOf(state, {
      memory,
      observation,
      gates,
      monotonic,
      blockers: blockersOf(state, this.#states(), limit),
      leader: '',
    });
    const { from, to, remainingMs, drain } = status;
    const { run, phase, step } = state;
    const live: LiveRecord = { at: clock.now(), run, phase, step, shown: { from, to, gates: [...gates], remainingMs, drain } };
    await this.#write(kept, state, { live, callers: observation.proxies.known.slice(0, mostRecorded) });
    if (changed || this.#looks % looksPerSamples === 0) await this.#keepSamples();
  }

  async #write(
    kept: KeptState,
    state: MigrationState,
    seen?: { readonly live: LiveRecord; readonly callers: readonly string[] },
  ): Promise<void> {
    const changed = state !== kept.value;
    const writes = [
      ...(changed ? [{ key: stateKey(this.#id), before: kept.modRevision, value: state }] : []),
      ...(seen === undefined ? [] : [this.#after(liveKey(this.#id), seen.live)]),
      ...(seen === undefined || isDeepStrictEqual(seen.callers, this.#records.callers(this.#id))
        ? []
        : [this.#after(callersKey(this.#id), { callers: seen.callers } satisfies CallersRecord)]),
    ];
    await this.#put(kept, writes);
    if (changed) for (const event of newEvents(kept.value, state)) this.#options.onEvent(state, event);
  }

  #after(key: string, value: unknown): { readonly key: string; readonly before: number; readonly value: unknown } {
    return { key, before: this.#records.revision(key), value };
  }

  /** Somebody else wrote this migration, which is looked at again at once, or leads. */
  #whyNot(kept: KeptState): MeshError {
    const now = this.#records.state(this.#id);
    if (now?.modRevision === kept.modRevision) return new MeshError('FENCED', 'another replica drives the migrations', { retryable: true });
    this.#alarm.ring();
    return new MeshError('ABORTED', `${this.#id} was changed meanwhile`);
  }

  async #retire(kept: KeptState): Promise<'stays' | MigrationState | undefined> {
    const { places, clock } = this.#options;
    const verdict = retire(kept.value, this.#states(), { now: clock.now(), from: places(kept.value).from });
    if (verdict === 'stays') return verdict;
    if (verdict !== 'remove') {
      await this.#write(kept, verdict);
      return verdict;
    }
    const writes = [
      { key: stateKey(this.#id), before: kept.modRevision, value: undefined },
      this.#after(liveKey(this.#id), undefined),
      this.#after(callersKey(this.#id), undefined),
    ].filter(({ before }) => before > 0);
    await this.#put(kept, writes);
    const { store, log } = this.#options;
    await store.txn({ if: [this.#term.fence], then: [{ op: 'delete', key: samplesKey(this.#id) }] }).catch((error: unknown) => {
      log.warn({ error, migration: this.#id }, 'samples of a migration that was deleted are left in the store');
    });
    return undefined;
  }

  /** Rejects where nothing was written, or where nobody knows. */
  async #put(kept: KeptState, writes: Parameters<MigrationRecords['write']>[0]): Promise<void> {
    this.#writing = true;
    try {
      const revision = await this.#records.write(writes, this.#term.fence);
      if (revision === undefined) throw this.#whyNot(kept);
      const now = this.#records.state(this.#id)?.modRevision ?? 0;
      this.#known = now;
      // Somebody was faster than the look at what was written.
      if (now !== kept.modRevision && now !== revision) this.#alarm.ring();
    } finally {
      this.#writing = false;
    }
  }

  async #sample(state: MigrationState, at: number, { observation, callers }: Seen): Promise<void> {
    if (!isRunning(state.phase) || state.phase === 'waiting') return;
    if (this.#book?.run !== state.run) {
      const before = await readSamples(this.#options.store, this.#id);
      this.#book = new SampleBook(state.run, before?.run === state.run ? before : undefined);
    }
    const { from, to } = observation;
    const sample = this.#book.add(state, this.#options.clock.now(), { at, from, to }, callers);
    if (sample !== undefined) this.#options.onSample?.(state, sample);
  }

  /** For the report alone: what cannot be written now is with the next. */
  async #keepSamples(): Promise<void> {
    if (this.#book === undefined) return;
    const value = Buffer.from(JSON.stringify(this.#book.record()));
    try {
      await this.#options.store.txn({ if: [this.#term.fence], then: [{ op: 'put', key: samplesKey(this.#id), value }] });
    } catch (error) {
      this.#options.log.warn({ error, migration: this.#id }, 'samples of a migration could not be kept; trying again with the next');
    }
  }

  #objectIsGone(): boolean {
    const objects = this.#options.objects.current();
    return objects !== undefined && !objects.has(this.#id);
  }

  #isLost(state: MigrationState): boolean {
    return isEnd(state.phase) && state.released !== true && isReplaced(state, this.#states());
  }

  #states(): readonly MigrationState[] {
    return [...this.#records.states().values()].map(({ value }) => value);
  }
}

/** How often it is looked at; undefined: when something changes. */
function periodOf({ phase, spec, released }: MigrationState, gone: boolean): number | undefined {
  if (gone || phase === 'waiting' || phase === 'rolling-back') return Math.min(quickMs, spec.intervalMs);
  if (isEnd(phase)) return released === true ? undefined : spec.intervalMs;
  return isRunning(phase) ? spec.intervalMs : undefined;
}

function hasCode(error: unknown, code: MeshErrorCode): boolean {
  return error instanceof MeshError && error.code === code;
}
