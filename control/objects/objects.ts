import type {
  ApplyRequest,
  ChangeResult,
  DeleteRequest,
  ObjectName,
  PlanRequest,
  RevisionSummary,
  RollbackRequest,
} from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { runGroup } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { Store } from '../../core/store.ts';
import { accept, type Checked, reject, type Violation } from '../../core/validate.ts';
import { violation } from '../../core/yaml/index.ts';
import type { Leadership } from '../leadership/index.ts';
import { AppliedStore, type CommitRequest, whyNotNow } from './applied/applied-store.ts';
import { TentativeKeeper } from './applied/keep-tentative.ts';
import type { AppliedState } from './applied/read-state.ts';
import { actionOf, stepOfApply, stepOfDelete, withChanges } from './applied/steps.ts';
import type { StoredChange } from './applied/stored.ts';
import { AppliedSource } from './applied-source.ts';
import { type Candidate, type Candidates, type ParseDocument, readCandidates } from './candidates.ts';
import { type CompiledFaults, faultViolations } from './compiled-faults.ts';
import type { ObjectKey, ObjectOwner, ObjectView } from './contract.ts';
import { type FileObject, FileSource } from './file-source.ts';
import { ObjectSet } from './object-set.ts';
import { apiSource, fileSource, whereToChange } from './ownership.ts';
import { describeKey, ownerKey, refOfKey } from './ref.ts';
import { revisionSummary } from './summaries.ts';
import { Unfit } from './unfit.ts';

export interface ObjectsOptions {
  readonly store: Store;
  /** Of the one among the replicas that rolls tentative changes back. */
  readonly leadership: Leadership;
  readonly clock: Clock;
  readonly log: Log;
  readonly cluster: string;
  readonly parse: ParseDocument;
  /** For what was applied before. Default: `parse`. */
  readonly parseStored?: ParseDocument;
  /** Absent: nothing is compiled before it is stored. */
  readonly faults?: CompiledFaults;
}

/** What a step changed, for the caller and for the audit log. */
export interface Outcome {
  readonly value: ChangeResult;
  readonly diff: readonly { readonly subject: string; readonly before?: unknown; readonly after?: unknown }[];
}

/** What would be in force, and what would differ. */
export interface Proposal {
  readonly view: ObjectView;
  readonly changes: ChangeResult['objects'];
  /** Why it would be refused now, though nothing is wrong with it. */
  readonly waiting?: string;
}

const mostApplied = 20_000;

type What = Pick<CommitRequest, 'reason' | 'by' | 'message' | 'undoes'>;
type Options = Pick<ApplyRequest, 'dryRun' | 'confirmWithinMs' | 'ifRevision' | 'message'>;

/**
 * The traffic objects of this cluster: those of every source as one set (`set`), and those that were applied, durably (`applied`).
 * Changes reject with MeshError (CONFLICT, NOT_FOUND, LIMIT_EXCEEDED, STORE_UNAVAILABLE); what is wrong with documents comes back.
 */
export class Objects {
  readonly set = new ObjectSet();
  readonly applied: AppliedStore;
  readonly #options: ObjectsOptions;
  readonly #owner: ObjectOwner;
  readonly #source: AppliedSource;
  readonly #files: FileSource;
  readonly #keeper: TentativeKeeper;

  constructor(options: ObjectsOptions) {
    const { store, leadership, clock, log, cluster, parse, parseStored = parse } = options;
    this.#options = options;
    this.#owner = { cluster, source: apiSource };
    this.#source = new AppliedSource(this.#owner, parseStored);
    this.#files = new FileSource({ cluster, source: fileSource }, store, clock, log);
    this.applied = new AppliedStore(store, clock, log, (state) => {
      this.set.setSource(this.#source.source(state));
      this.#keeper.wake();
    });
    this.#keeper = new TentativeKeeper(this.applied, leadership, clock, log);
  }

  /** Reads what is durable, and rolls back what nobody confirmed while this control plane was down. Before anything is served. */
  async load(): Promise<void> {
    await this.applied.refresh();
    await this.#keeper.settle();
  }

  /** Those of the configuration files; replaces what was there. One call at a time. */
  async setFiles(files: readonly FileObject[]): Promise<void> {
    this.set.setSource(await this.#files.source(files));
  }

  /** Follows other replicas, and rolls tentative changes back in time, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    return runGroup(signal, [(inner) => this.applied.follow(inner), (inner) => this.#keeper.run(inner)]);
  }

  /** All documents or none. */
  async apply(request: ApplyRequest, by: string): Promise<Checked<Outcome>> {
    const { candidates, violations } = this.candidates(request);
    if (violations.length > 0) return reject(violations);
    const documents = new Map([...candidates.objects].map(([key, c]) => [key, c.document]));
    const checked = await this.#change(request, { reason: 'apply', by, message: request.message ?? '' }, (state) => {
      const changes = withinLimit(state.objects.size, stepOfApply(state.objects, documents, this.#options.clock.now()));
      return this.#compilable(state, changes, candidates.objects);
    });
    if (!checked.ok) return checked;
    const outcome = checked.value;
    const changed = new Set(outcome.value.objects.map((o) => `${o.group}/${o.kind}/${o.namespace}/${o.name}`));
    const same = [...documents.keys()]
      .filter((key) => !changed.has(key))
      .map((key) => ({ ...refOfKey(key), action: 'unchanged' as const }));
    return accept({ ...outcome, value: { ...outcome.value, objects: [...outcome.value.objects, ...same] } });
  }

  /** What a request would apply, and everything that is wrong with it: whose the objects are already, too. */
  candidates(request: Pick<ApplyRequest, 'files' | 'namespace' | 'scope'>): { candidates: Candidates; violations: readonly Violation[] } {
    const { namespace, scope } = request;
    const candidates = readCandidates(request.files, this.#options.parse, {
      ...(namespace === undefined ? {} : { namespace }),
      ...(scope === undefined ? {} : { scope }),
    });
    const owned = [...candidates.objects].flatMap(([key, { at }]) =>
      this.#elsewhere(key).map((owner) => violation(at, ['metadata', 'name'], whereToChange(owner, this.#options.cluster))),
    );
    return { candidates, violations: [...candidates.violations, ...owned] };
  }

  /** All objects or none. */
  async delete(request: DeleteRequest, by: string): Promise<Checked<Outcome>> {
    const { applied } = this;
    const { keys, violations } = this.#toDelete(await applied.refresh(), request.objects);
    if (violations.length > 0) return reject(violations);
    const step: CommitRequest['step'] = ({ objects }) => stepOfDelete(objects, keys);
    return this.#change(request, { reason: 'delete', by, message: request.message ?? '' }, step);
  }

  /** To the state after a revision that is kept, as a new one. Undoes the tentative one where that is what lies between. */
  async rollback(request: RollbackRequest, by: string): Promise<Checked<Outcome>> {
    const { applied } = this;
    const { tentative } = (await applied.refresh()).head;
    const undoes = tentative?.revision === request.revision + 1 ? { undoes: tentative.revision } : {};
    const message = request.message ?? `to revision ${request.revision}`;
    return this.#change(request, { reason: 'rollback', by, message, ...undoes }, async (state) => {
      const changes = await applied.stepBack(state, request.revision);
      const violations = this.#unfit(changes);
      if (violations.length > 0) throw new Unfit(violations);
      return this.#compilable(state, changes, new Map());
    });
  }

  /** The view that would be, and what would differ. Nothing is changed. */
  async propose(request: PlanRequest): Promise<Checked<Proposal>> {
    const state = await this.applied.refresh();
    let changes: readonly StoredChange[] = [];
    if (request.rollback !== undefined) changes = await this.applied.stepBack(state, request.rollback);
    const gone = this.#toDelete(state, request.delete ?? []);
    if (gone.violations.length > 0) return reject(gone.violations);
    changes = [...changes, ...stepOfDelete(state.objects, gone.keys)];
    if (request.files.length > 0) {
      const { candidates, violations } = this.candidates(request);
      if (violations.length > 0) return reject(violations);
      const documents = new Map([...candidates.objects].map(([key, c]) => [key, c.document]));
      changes = [...changes, ...stepOfApply(withChanges(state.objects, changes), documents, this.#options.clock.now())];
    }
    const view = this.set.preview(this.#source.preview(withChanges(state.objects, changes)));
    const undoes = request.rollback === undefined ? undefined : request.rollback + 1;
    return accept({ view, changes: changes.map(changedObject), ...waitingIn(state, undoes) });
  }

  async confirm(revision: number | undefined): Promise<{ value: RevisionSummary; diff: Outcome['diff'] }> {
    const value = revisionSummary(await this.applied.confirm(revision));
    return { value, diff: [{ subject: `revision/${value.number}`, before: { state: 'tentative' }, after: { state: value.state } }] };
  }

  /** The changes, unless proxies would refuse what they make; what they refuse already is no reason. */
  #compilable(state: AppliedState, changes: readonly StoredChange[], given: ReadonlyMap<ObjectKey, Candidate>): readonly StoredChange[] {
    const { faults } = this.#options;
    if (faults === undefined || changes.length === 0) return changes;
    const then = this.set.preview(this.#source.preview(withChanges(state.objects, changes)));
    const violations = faultViolations(faults(this.set.current(), then), given);
    if (violations.length > 0) throw new Unfit(violations);
    return changes;
  }

  /** A step says by Unfit what is wrong with what it would change. */
  async #change(options: Options, what: What, step: CommitRequest['step']): Promise<Checked<Outcome>> {
    try {
      return accept(await this.#commit(options, what, step));
    } catch (error) {
      if (error instanceof Unfit) return reject(error.violations);
      throw error;
    }
  }

  async #commit(options: Options, what: What, step: CommitRequest['step']): Promise<Outcome> {
    if (options.dryRun === true) {
      const state = await this.applied.refresh();
      const changes = await step(state);
      return { value: { dryRun: true, objects: changes.map(changedObject), ...waitingIn(state, what.undoes) }, diff: [] };
    }
    const { confirmWithinMs, ifRevision } = options;
    const { revision, changes } = await this.applied.commit({
      ...what,
      ...(confirmWithinMs === undefined ? {} : { confirmWithinMs }),
      ...(ifRevision === undefined ? {} : { ifRevision }),
      step,
    });
    const confirmBy = revision?.confirmBy === undefined ? {} : { confirmBy: new Date(revision.confirmBy).toISOString() };
    return {
      value: {
        dryRun: false,
        ...(revision === undefined ? {} : { revision: revision.number }),
        ...confirmBy,
        objects: changes.map(changedObject),
      },
      diff: changes.map(({ key, before, after }) => ({
        subject: describeKey(key),
        ...(before === undefined ? {} : { before: before.document }),
        ...(after === undefined ? {} : { after: after.document }),
      })),
    };
  }

  /** Applied objects by name; what is wrong with the names. */
  #toDelete({ objects }: AppliedState, names: readonly ObjectName[]): { keys: readonly ObjectKey[]; violations: readonly Violation[] } {
    const keys: ObjectKey[] = [];
    const violations: Violation[] = [];
    for (const [i, { kind, group, namespace, name }] of names.entries()) {
      const wanted = (key: ObjectKey) => {
        const ref = refOfKey(key);
        return ref.kind === kind && ref.namespace === namespace && ref.name === name && (group === undefined || ref.group === group);
      };
      const found = [...objects.keys()].filter(wanted);
      const say = (message: string) => violations.push({ path: `objects[${i}]`, message: `${kind} ${namespace}/${name} ${message}` });
      if (found.length > 1) say(`is of several groups: say which, ${found.map((key) => refOfKey(key).group).join(' or ')}`);
      else if (found.length === 1) keys.push(...found);
      else say(this.#whyNotApplied(wanted));
    }
    return { keys, violations };
  }

  /** Owners other than the API of this cluster. */
  #elsewhere(key: ObjectKey): readonly ObjectOwner[] {
    return this.set.holders(key).flatMap(({ owner }) => (ownerKey(owner) === ownerKey(this.#owner) ? [] : [owner]));
  }

  #whyNotApplied(wanted: (key: ObjectKey) => boolean): string {
    const key = [...this.set.current().objects.keys()].find(wanted);
    const [owner] = key === undefined ? [] : this.#elsewhere(key);
    return owner === undefined ? 'is not there' : whereToChange(owner, this.#options.cluster);
  }

  /** What would come back and cannot: somebody else has it now, or this version does not understand it. */
  #unfit(changes: readonly StoredChange[]): Violation[] {
    return changes.flatMap(({ key, after }): Violation[] => {
      if (after === undefined) return [];
      const at = { file: describeKey(key), value: after.document, lineOf: () => 1 };
      const checked = this.#options.parse(at);
      const owned = this.#elsewhere(key).map((owner) => ({
        path: '',
        message: `${at.file} ${whereToChange(owner, this.#options.cluster)}`,
      }));
      return [
        ...owned,
        ...(checked.ok ? [] : checked.violations.map(({ path, message }) => ({ path, message: `${at.file}: ${message}` }))),
      ];
    });
  }
}

function waitingIn(state: AppliedState, undoes: number | undefined): { readonly waiting?: string } {
  const waiting = whyNotNow(state, undoes);
  return waiting === undefined ? {} : { waiting };
}

function changedObject(change: StoredChange): ChangeResult['objects'][number] {
  return { ...refOfKey(change.key), action: actionOf(change) };
}

function withinLimit(before: number, changes: readonly StoredChange[]): readonly StoredChange[] {
  const created = withChanges(new Map(), changes).size;
  if (before + created <= mostApplied || changes.every((c) => c.before !== undefined)) return changes;
  throw new MeshError('LIMIT_EXCEEDED', `more than ${mostApplied} objects would be applied in this cluster: delete some first`);
}
