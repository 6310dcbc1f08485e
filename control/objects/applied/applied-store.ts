import type { Clock } from '../../../core/clock.ts';
import { MeshError } from '../../../core/errors.ts';
import { isAborted } from '../../../core/lifecycle.ts';
import type { Log } from '../../../core/log.ts';
import type { Compare, Store, StoreOp } from '../../../core/store.ts';
import type { Revision } from '../contract.ts';
import { bringCheckpoint } from './checkpoint.ts';
import { type AppliedState, catchUp, readChanges, readRevision, readState } from './read-state.ts';
import { stepOfRollback } from './steps.ts';
import { headKey, put, revisionKey, type StoredChange, type StoredRevision, type Tentative } from './stored.ts';
import { trimmable, writeRevision } from './transaction.ts';

export interface CommitRequest {
  readonly reason: Revision['reason'];
  readonly by: string;
  readonly message: string;
  readonly confirmWithinMs?: number;
  /** Refused with CONFLICT when the newest revision is another. */
  readonly ifRevision?: number;
  /** The tentative revision that this undoes; any other change is refused while there is one. */
  readonly undoes?: number;
  /** Besides the head: what a singleton's lease rests on. */
  readonly fence?: Compare;
  /** Called again when somebody else was faster; throws to refuse. */
  step(state: AppliedState): readonly StoredChange[] | Promise<readonly StoredChange[]>;
}

export interface Committed {
  /** Absent: there was nothing to change. */
  readonly revision?: StoredRevision;
  readonly changes: readonly StoredChange[];
}

const tries = 20;
const retryMs = 1000;

/** What was applied through the API, durably; every replica has the same. Methods reject with MeshError STORE_UNAVAILABLE. */
export class AppliedStore {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onState: (state: AppliedState) => void;
  #state: AppliedState | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** `onState`: told of every state, the first one included, in order. */
  constructor(store: Store, clock: Clock, log: Log, onState: (state: AppliedState) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#onState = onState;
  }

  /** As this replica knows it. */
  get state(): AppliedState {
    if (this.#state === undefined) throw new MeshError('INTERNAL', 'what was applied has not been read yet');
    return this.#state;
  }

  /** As the store has it now. */
  refresh(): Promise<AppliedState> {
    return this.#alone(() => this.#refresh());
  }

  commit(request: CommitRequest): Promise<Committed> {
    return this.#alone(async () => {
      for (let n = 0; n < tries; n++) {
        const done = await this.#tryCommit(await this.#refresh(), request);
        if (done !== undefined) return done;
      }
      throw new MeshError('CONFLICT', 'too many changes at once: try again', { retryable: true });
    });
  }

  /** The tentative revision stays. CONFLICT when there is none, or another than `revision`. */
  confirm(revision?: number): Promise<StoredRevision> {
    return this.#alone(async () => {
      for (let n = 0; n < tries; n++) {
        const state = await this.#refresh();
        const number = this.#confirmable(state, revision);
        const { tentative: _, ...head } = state.head;
        const confirmed = await this.#restated(number, 'confirmed');
        const { succeeded } = await this.#store.txn({
          if: [{ key: headKey, modRevision: state.modRevision }],
          then: [put(headKey, head), put(revisionKey(number), confirmed)],
        });
        if (!succeeded) continue;
        await this.#refresh();
        return confirmed;
      }
      throw new MeshError('CONFLICT', 'too many changes at once: try again', { retryable: true });
    });
  }

  /** What leads back to the state after revision `to` (0: before the first). NOT_FOUND when it is not kept any more. */
  async stepBack(state: AppliedState, to: number): Promise<readonly StoredChange[]> {
    const { revision, first } = state.head;
    if (to > revision) throw new MeshError('NOT_FOUND', `there is no revision ${to} yet: the newest is ${revision}`);
    if (to < first - 1) throw new MeshError('NOT_FOUND', `revision ${to} is not kept any more: the oldest to go back to is ${first - 1}`);
    const undone: (readonly StoredChange[])[] = [];
    for (let number = revision; number > to; number--) undone.push(await this.changes(number));
    return stepOfRollback(state.objects, undone);
  }

  async changes(number: number): Promise<readonly StoredChange[]> {
    return (await readChanges(this.#store, number)) ?? missing(number, this.state);
  }

  async revision(number: number): Promise<StoredRevision> {
    return (await readRevision(this.#store, number)) ?? missing(number, this.state);
  }

  /** Keeps up with what other replicas write, until `signal` aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const { revision } = await this.#store.list(headKey);
        await this.refresh();
        for await (const _ of this.#store.watch(headKey, revision, signal)) await this.refresh();
      } catch (error) {
        if (signal.aborted) return;
        this.#log.warn({ error }, 'what is applied by other replicas cannot be followed; trying again');
        await this.#clock.sleep(retryMs, signal).catch((reason: unknown) => {
          if (!isAborted(reason)) throw reason;
        });
      }
    }
  }

  async #tryCommit(state: AppliedState, request: CommitRequest): Promise<Committed | undefined> {
    const { reason, by, message, confirmWithinMs, undoes } = request;
    refuseOthers(state, request);
    const changes = await request.step(state);
    if (changes.length === 0 && undoes === undefined) return { changes };
    const at = this.#clock.now();
    const confirmBy = confirmWithinMs === undefined ? {} : { confirmBy: at + confirmWithinMs };
    const oldest = await this.#oldest(state);
    const written = writeRevision(state.head, { at, by, reason, message, ...confirmBy }, changes, oldest);
    const also: StoreOp[] = undoes === undefined ? [] : [put(revisionKey(undoes), await this.#restated(undoes, 'rolled-back'))];
    const { succeeded } = await this.#store.txn({
      if: [{ key: headKey, modRevision: state.modRevision }, ...(request.fence === undefined ? [] : [request.fence])],
      then: [...written.ops, ...also],
    });
    if (!succeeded) {
      if (request.fence !== undefined) throw new MeshError('FENCED', 'another replica has taken over', { retryable: true });
      return undefined;
    }
    await this.#refresh();
    await this.#keepTable(written.head.revision);
    return { revision: written.revision, changes };
  }

  async #refresh(): Promise<AppliedState> {
    const before = this.#state;
    const state = before === undefined ? await readState(this.#store) : await catchUp(this.#store, before);
    this.#state = state;
    if (before === undefined) await this.#keepTable(state.head.revision);
    if (state !== before) this.#onState(state);
    return state;
  }

  /** The revisions say it already: what fails here is made up for later. */
  async #keepTable(to: number): Promise<void> {
    try {
      await bringCheckpoint(this.#store, to);
    } catch (error) {
      this.#log.warn({ error }, 'the table of what is applied could not be brought up to date; the next change does');
    }
  }

  async #oldest({ head }: AppliedState): Promise<readonly StoredRevision[]> {
    const found: StoredRevision[] = [];
    for (let n = 0; n < trimmable(head); n++) found.push(await this.revision(head.first + n));
    return found;
  }

  async #restated(number: number, state: Revision['state']): Promise<StoredRevision> {
    return { ...(await this.revision(number)), state };
  }

  #confirmable({ head }: AppliedState, revision: number | undefined): number {
    const { tentative } = head;
    if (tentative === undefined) throw new MeshError('CONFLICT', 'nothing waits to be confirmed: see isthmus history');
    if (revision !== undefined && revision !== tentative.revision)
      throw new MeshError('CONFLICT', `revision ${tentative.revision} waits to be confirmed, not ${revision}`);
    if (this.#clock.now() >= tentative.confirmBy)
      throw new MeshError(
        'CONFLICT',
        `revision ${tentative.revision} was to be confirmed by ${timeOf(tentative.confirmBy)}: it is rolled back`,
      );
    return tentative.revision;
  }

  /** One at a time in this process, so that a change waits instead of losing to its neighbour again and again. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

/** Why a change would be refused now, though nothing is wrong with it; undefined: it would not be. `undoes` as of a CommitRequest. */
export function whyNotNow({ head: { tentative } }: AppliedState, undoes: number | undefined): string | undefined {
  return tentative === undefined || tentative.revision === undoes ? undefined : waiting(tentative);
}

function refuseOthers({ head }: AppliedState, { undoes, ifRevision }: CommitRequest): void {
  const { tentative } = head;
  if (undoes !== undefined && tentative?.revision !== undoes)
    throw new MeshError('CONFLICT', `revision ${undoes} does not wait to be confirmed any more`);
  if (undoes === undefined && tentative !== undefined) throw new MeshError('CONFLICT', waiting(tentative));
  if (ifRevision !== undefined && ifRevision !== head.revision)
    throw new MeshError('CONFLICT', `the newest revision is ${head.revision}, not ${ifRevision}: look at what changed, and apply again`);
}

function waiting({ revision, by, confirmBy }: Tentative): string {
  return `revision ${revision} of ${by} waits to be confirmed until ${timeOf(confirmBy)}: confirm it, or roll back to ${revision - 1}, first`;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function missing(number: number, { head }: AppliedState): never {
  throw new MeshError('NOT_FOUND', `there is no revision ${number}: those kept are ${head.first} to ${head.revision}`);
}
