import { isDeepStrictEqual } from 'node:util';
import type { MigrationList, MigrationReport, MigrationStatus } from '../../../core/admin/index.ts';
import { MeshError } from '../../../core/errors.ts';
import { runGroup } from '../../../core/lifecycle.ts';
import type { MigrationCommand, MigrationState } from '../contract.ts';
import {
  command,
  inForce,
  isEnd,
  isReadable,
  isRunning,
  isSuperseded,
  mayReplace,
  newEvents,
  ofSameService,
  statusOf,
} from '../machine/index.ts';
import { blockersOf } from './blockers.ts';
import type { Freeze, MigrationsOptions } from './contract.ts';
import { freezeKey, stateKey } from './keys.ts';
import { lead } from './lead.ts';
import { type KeptState, MigrationRecords } from './records.ts';
import { reportOf } from './report.ts';
import { withReserved } from './reserved.ts';
import { readSamples } from './samples.ts';
import { type ShiftDocument, shiftDocuments } from './shift-documents.ts';

const tries = 20;

export interface Commanded {
  readonly before: MigrationState;
  readonly after: MigrationState;
  readonly status: MigrationStatus;
}

/**
 * All migrations of this cluster, on each of its replicas: what they have come to, what people ask of them, and the shifts that follow. The replica that
 * leads drives them. Methods reject with MeshError: NOT_FOUND, CONFLICT with the reason, STORE_UNAVAILABLE.
 */
export class Migrations {
  readonly #options: MigrationsOptions;
  readonly #records: MigrationRecords;
  readonly #listeners = new Set<() => void>();
  #shifts: readonly ShiftDocument[] | undefined;
  /** Of which listeners have been told. */
  #told: readonly ShiftDocument[] | undefined;

  constructor(options: MigrationsOptions) {
    this.#options = options;
    this.#records = new MigrationRecords(options.store, options.clock, options.log);
    this.#records.subscribe((key) => {
      if (key.startsWith(stateKey(''))) this.#changed();
    });
  }

  /** Reads what is durable, before anything is served: until then nothing is known of any weight. */
  async load(): Promise<void> {
    await this.#records.load();
  }

  /** Follows what is written, and leads when it can, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    // A shift is an object too: that it is there now is no news.
    const undo = this.#options.objects.subscribe(() => {
      if (this.shifts() !== this.#told) this.#changed();
    });
    try {
      await runGroup(signal, [
        (inner) => this.#records.follow(inner),
        (inner) => this.#options.leadership.run((term) => lead(this.#options, this.#records, term), inner),
      ]);
    } finally {
      undo();
    }
  }

  /** One for each service that has one, the same object as before where it is the same. Undefined: not yet read, which is not none. */
  shifts(): readonly ShiftDocument[] | undefined {
    if (!this.#records.loaded || this.#options.objects.current() === undefined) return undefined;
    const before = new Map(this.#shifts?.map((shift) => [idOf(shift), shift]));
    const now = shiftDocuments(this.states()).map((shift) => {
      const known = before.get(idOf(shift));
      return isDeepStrictEqual(known, shift) && known !== undefined ? known : shift;
    });
    if (now.length !== this.#shifts?.length || now.some((shift, i) => shift !== this.#shifts?.[i])) this.#shifts = now;
    return this.#shifts;
  }

  /** Told when states or shifts are others; returns its undoing. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** As this replica knows them, by namespace and name: those of objects that nobody has written a state of yet as well. */
  states(): readonly MigrationState[] {
    const { cluster, objects } = this.#options;
    const known = new Map([...this.#records.states()].map(([id, { value }]) => [id, value]));
    return [...withReserved(known, objects.current() ?? new Map(), cluster)].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  }

  /** Whom the leader of one has known as callers (SPIFFE-ID#INSTANCE), of all replicas; sorted. */
  callers({ namespace, name }: Pick<MigrationState, 'namespace' | 'name'>): readonly string[] {
    return this.#records.callers(`${namespace}/${name}`);
  }

  async list(): Promise<MigrationList> {
    const leader = await this.#leader();
    return {
      migrations: this.states().map((state) => this.#status(state, leader)),
      freeze: this.frozen(),
      limit: this.#options.limit,
    };
  }

  async status(namespace: string, name: string): Promise<MigrationStatus> {
    return this.#status(this.#find(`${namespace}/${name}`), await this.#leader());
  }

  async report(namespace: string, name: string): Promise<MigrationReport> {
    const id = `${namespace}/${name}`;
    const samples = await readSamples(this.#options.store, id);
    const state = this.#find(id);
    return reportOf(state, this.#status(state, await this.#leader()), samples);
  }

  /**
   * What people ask is a compare-and-swap of the state itself, by whichever replica was asked, and not a message to the leader: it is durable when this
   * resolves, and refused by the state that it would have changed. The leader's own write fails then, and it looks again at what is there.
   */
  async command(namespace: string, name: string, asked: MigrationCommand): Promise<Commanded> {
    const id = `${namespace}/${name}`;
    if (asked.type === 'start') await this.#mayStart(namespace, name);
    for (let n = 0; n < tries; n++) {
      await this.#records.refresh(stateKey(id));
      const before = this.#find(id);
      if (!isReadable(before))
        throw new MeshError('CONFLICT', `${id} was written by a newer version of isthmus: ask a replica of that version`);
      const kept = this.#records.state(id);
      const { clock, objects, places } = this.#options;
      const spec = objects.current()?.get(id)?.spec ?? before.spec;
      if (asked.type === 'start') this.#mayTakeOver(before);
      if (asked.type === 'rollback' && isEnd(before.phase)) this.#mayGoBack(before);
      const checked = command(before, asked, { now: clock.now(), spec, from: places(before).from });
      if (!checked.ok) throw new MeshError('CONFLICT', `${id}: ${checked.violations.map(({ message }) => message).join('; ')}`);
      const after = checked.value;
      const written = await this.#records.write([{ key: stateKey(id), before: kept?.modRevision ?? 0, value: after }]);
      if (written === undefined) continue;
      for (const event of newEvents(before, after)) this.#options.onEvent(after, event);
      return { before, after, status: this.#status(after, await this.#leader()) };
    }
    throw busy(id);
  }

  /** Who stopped all, as this replica knows it. */
  frozen(): MigrationList['freeze'] {
    return shown(this.#records.freeze()?.value);
  }

  async freeze(reason: string, by: string): Promise<MigrationList['freeze']> {
    return shown(await this.#setFreeze({ by, at: this.#options.clock.now(), reason }));
  }

  async unfreeze(): Promise<void> {
    await this.#setFreeze(undefined);
  }

  async #setFreeze(value: Freeze | undefined): Promise<Freeze | undefined> {
    for (let n = 0; n < tries; n++) {
      await this.#records.refresh(freezeKey);
      const kept = this.#records.freeze();
      if (value === undefined && kept === undefined) throw new MeshError('CONFLICT', 'nothing is frozen');
      if (value !== undefined && kept !== undefined)
        throw new MeshError('CONFLICT', `all is frozen already, by ${kept.value.by}: ${kept.value.reason}`);
      const written = await this.#records.write([{ key: freezeKey, before: kept?.modRevision ?? 0, value }]);
      if (written !== undefined) return value;
    }
    throw busy('the freeze');
  }

  async #mayStart(namespace: string, name: string): Promise<void> {
    const id = `${namespace}/${name}`;
    if (!this.#options.objects.current()?.has(id)) throw unknown(id);
    await this.#records.refresh(freezeKey);
    const freeze = this.#records.freeze()?.value;
    if (freeze !== undefined) throw new MeshError('CONFLICT', `all is frozen by ${freeze.by}: ${freeze.reason}`);
    const checked = await this.#options.preflight(namespace, name);
    if (!checked.ok) throw new MeshError('CONFLICT', `${id} cannot start: ${checked.violations.map(({ message }) => message).join('; ')}`);
  }

  /** One migration of a service at a time: two would undo each other's weights. */
  #mayTakeOver(state: MigrationState): void {
    const all = this.states();
    const other = ofSameService(state, all).find(
      (each) => each.phase !== 'reserved' && !isSuperseded(each, all) && !mayReplace(each, state),
    );
    if (other === undefined) return;
    const why = isRunning(other.phase)
      ? 'moves the same service now'
      : `holds the traffic of the same service (${other.phase}): delete it first`;
    throw new MeshError('CONFLICT', `${idOf(state)} cannot start: ${idOf(other)} ${why}`);
  }

  /** What ended may go back only while nobody moved the service since. */
  #mayGoBack(state: MigrationState): void {
    const all = this.states();
    const [other] = inForce(ofSameService(state, all).filter((each) => isRunning(each.phase) || isSuperseded(state, [each])));
    if (other === undefined) return;
    throw new MeshError(
      'CONFLICT',
      `${idOf(state)} cannot go back: ${idOf(other)} has the service since (${other.phase}): delete that one first`,
    );
  }

  #status(state: MigrationState, leader: string): MigrationStatus {
    const { clock, objects, limit, places } = this.#options;
    const id = idOf(state);
    const spec = objects.current()?.get(id)?.spec;
    const live = this.#records.live(id);
    const told =
      live !== undefined && live.run === state.run && live.phase === state.phase && live.step === state.step ? live.shown : undefined;
    const age = Math.min(state.spec.intervalMs, Math.max(0, clock.now() - (live?.at ?? 0)));
    const status = statusOf(state, {
      gates: told?.gates ?? [],
      monotonic: clock.monotonic(),
      remainingMs: told?.remainingMs == null ? null : Math.max(0, told.remainingMs - age),
      blockers: blockersOf(state, this.#states(), limit),
      leader,
      ...(spec === undefined ? {} : { spec }),
    });
    if (told !== undefined) return { ...status, from: told.from, to: told.to, drain: told.drain };
    const now = places(state);
    const at = ({ state: word, endpoints, healthy }: typeof now.from) => ({ state: word, endpoints, healthy });
    return { ...status, from: { ...status.from, ...at(now.from) }, to: { ...status.to, ...at(now.to) } };
  }

  #find(id: string): MigrationState {
    const state = this.states().find((each) => idOf(each) === id);
    if (state === undefined) throw unknown(id);
    return state;
  }

  #states(): readonly MigrationState[] {
    return [...this.#records.states().values()].map(({ value }: KeptState) => value);
  }

  async #leader(): Promise<string> {
    return (await this.#options.leadership.leader()) ?? '';
  }

  #changed(): void {
    this.#told = this.shifts();
    for (const listener of [...this.#listeners]) listener();
  }
}

function idOf({ namespace, name }: Pick<MigrationState, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

function shown(freeze: Freeze | undefined): MigrationList['freeze'] {
  return freeze === undefined ? null : { ...freeze, at: new Date(freeze.at).toISOString() };
}

function unknown(id: string): MeshError {
  return new MeshError('NOT_FOUND', `there is no Migration ${id} in this cluster`);
}

function busy(what: string): MeshError {
  return new MeshError('CONFLICT', `${what} is changed by too many at once: try again`, { retryable: true });
}
