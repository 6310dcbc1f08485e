import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../core/clock.ts';
import { MeshError } from '../../../core/errors.ts';
import type { Log } from '../../../core/log.ts';
import { fingerprintOf, type Issuer } from '../../../core/pki/index.ts';
import type { Compare, Store } from '../../../core/store.ts';
import type { Authority } from '../authority.ts';
import { getRecord, putRecord, type Stored } from '../record.ts';
import { aborted, advance, type ClusterProgress, entered, type Missing, missingFor } from './advance.ts';
import { unknownNames, waitedFor } from './left-out.ts';
import { type RotationRecord, rotationKey } from './record.ts';
import type { RootFolder } from './root-folder.ts';
import { makeStatement, type Statement, type StatementPhase } from './statement.ts';

export interface StartRequest {
  readonly step: boolean;
  readonly without: readonly string[];
  /** Default: one is made. */
  readonly root?: Issuer;
}

export interface ContinueRequest {
  readonly without: readonly string[];
  readonly force: boolean;
}

export interface RotationView {
  readonly record: RotationRecord;
  readonly missing: readonly Missing[];
  /** Nobody is missing, and the operator is. */
  readonly asks: boolean;
}

export interface DriverOptions {
  readonly authority: Authority;
  readonly store: Pick<Store, 'get' | 'txn'>;
  /** Where the root's key is; undefined: elsewhere, and no rotation is driven from here. */
  readonly folder: RootFolder | undefined;
  readonly progress: () => readonly ClusterProgress[];
  /** Who holds SVIDs of this cluster, or is connected to it, by name. */
  readonly holders: () => Promise<readonly string[]>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Drives one rotation of the trust domain's root from the cluster where its key is: each step is written before it is taken and may be taken
 * again, so that a control plane that dies anywhere goes on where it was. What the other clusters do follows from the statements.
 */
export class RotationDriver {
  readonly #options: DriverOptions;

  constructor(options: DriverOptions) {
    this.#options = options;
  }

  /** MeshError CONFLICT while one is under way, IDENTITY_INVALID where the root is not online, CONFIG_INVALID for names that nobody has. */
  async start(request: StartRequest): Promise<RotationRecord> {
    const { authority, clock } = this.#options;
    const folder = this.#folder();
    const before = await this.#stored();
    if (before !== undefined && !isOver(before.value))
      throw new MeshError('CONFLICT', `a rotation is under way (${before.value.phase}): isthmus ca rotate status, continue or abort`);
    const from = authority.signer;
    if (from === undefined || authority.trust.roots.length !== 1)
      throw new MeshError('CONFLICT', 'two roots count here already: finish, or abort, the rotation that brought the second one');
    // What peers say of before is about nobody who will be waited for.
    const silent = this.#options.progress().map((each) => (each.cluster === authority.cluster ? each : { ...each, report: undefined }));
    await this.#checkNames(request.without, silent, () => 'isthmus vm list and isthmus peer list say who there is');
    const id = randomUUID();
    const fingerprint = fingerprintOf(from.certificate);
    if (request.root !== undefined) await folder.next(fingerprint, clock.now(), request.root);
    const at = clock.now();
    const record: RotationRecord = {
      id,
      startedAt: at,
      from: fingerprint,
      goal: 'to',
      phase: 'prepare',
      step: request.step,
      without: request.without,
      force: false,
      history: [{ phase: 'prepare', at }],
    };
    await this.#write(before, record, []);
    return record;
  }

  /** Lets the next phase in, and leaves these out of what is waited for. MeshError NOT_FOUND without one under way, CONFIG_INVALID for names that nobody has. */
  async go({ without, force }: ContinueRequest): Promise<RotationRecord> {
    const { record, stored } = await this.#underWay();
    const names = without.filter((each) => !record.without.includes(each));
    await this.#checkNames(names, this.#options.progress(), () => waitedFor(this.#missing(record)));
    if (force && record.phase !== 'retire' && record.phase !== 'sign')
      throw new MeshError('CONFLICT', `nothing is retired in phase ${record.phase}: --force is for a root that is still in use`);
    const phase = record.phase === 'prepare' ? 'distribute' : record.phase === 'distribute' ? 'sign' : 'retire';
    const next = {
      ...record,
      allowed: phase,
      force: record.force || force,
      without: [...new Set([...record.without, ...without])],
    } as const;
    await this.#write(stored, next, []);
    return next;
  }

  /** MeshError CONFLICT when the old root is being retired already. */
  async abort(): Promise<RotationRecord> {
    const { record, stored } = await this.#underWay();
    const next = aborted(record, this.#options.clock.now());
    if (next === undefined) throw new MeshError('CONFLICT', 'the old root is being retired already: rotate again instead');
    // Nobody has heard of the new root yet: it goes at once, so that the next rotation does not take it for its own.
    if (next.phase === 'aborted' && record.to !== undefined && this.#options.folder !== undefined) {
      await this.#folder().settle(record.from, record.to);
      this.#options.authority.useOnline(await this.#folder().load());
    }
    if (next !== record) await this.#write(stored, next, []);
    return next;
  }

  async view(): Promise<RotationView | undefined> {
    const stored = await this.#stored();
    if (stored === undefined) return undefined;
    const record = stored.value;
    const missing = isOver(record) ? [] : this.#missing(record);
    return { record, missing, asks: !isOver(record) && missing.length === 0 && advance(record, missing) === 'wait' };
  }

  /** One look, by the leader alone: does what is to be done now. Resolves with whether anything was. */
  async step(fence: readonly Compare[]): Promise<boolean> {
    const stored = await this.#stored();
    if (stored === undefined || isOver(stored.value) || this.#options.folder === undefined) return false;
    const ready = await this.#perform(stored.value);
    if (ready.to !== stored.value.to) {
      await this.#write(stored, ready, fence);
      return true;
    }
    const next = advance(ready, this.#missing(ready));
    if (next === 'wait') return false;
    const { clock, log, authority } = this.#options;
    if (next.enter === 'done' || next.enter === 'aborted') {
      const [stays, left] = ready.goal === 'to' ? [ready.to ?? '', ready.from] : [ready.from, ready.to ?? ''];
      await this.#folder().settle(stays, left);
      authority.useOnline(await this.#folder().load());
    }
    await this.#write(stored, entered(ready, next.enter, clock.now()), fence);
    log.info({ rotation: ready.id, phase: next.enter }, 'rotation of the root: next phase');
    return true;
  }

  /** What the phase is made of; repeated until it is so. */
  async #perform(record: RotationRecord): Promise<RotationRecord> {
    const { authority, clock } = this.#options;
    if (record.phase === 'prepare') {
      const root = await this.#folder().next(record.from, clock.now());
      authority.useOnline(await this.#folder().load());
      return { ...record, to: fingerprintOf(root.certificate) };
    }
    if (this.#statement(record) === undefined) await this.#state(record, record.phase as StatementPhase);
    return record;
  }

  /** The phase's own, once it is made. */
  #statement(record: RotationRecord): Statement | undefined {
    const { latest } = this.#options.authority.trust;
    const made = latest?.rotation === record.id && latest.phase === record.phase && latest.signing === this.#signing(record);
    return made && latest.force === record.force && sameNames(latest.without, record.without) ? latest : undefined;
  }

  /** Until the signing phase the root that signed before goes on. */
  #signing({ phase, goal, from, to }: RotationRecord): string {
    return goal === 'to' && phase !== 'distribute' ? (to ?? '') : from;
  }

  async #state(record: RotationRecord, phase: StatementPhase): Promise<void> {
    const { authority, clock } = this.#options;
    const { trust, trustDomain } = authority;
    const online = new Map(authority.online.map((root) => [fingerprintOf(root.certificate), root]));
    const signing = this.#signing(record);
    const roots = phase === 'retire' ? [signing] : [record.from, record.to ?? ''];
    const certificates = roots.flatMap((each) => online.get(each)?.certificate ?? []);
    // The one that goes has no say in its end; until then the one that everybody has is believed by everybody.
    const by = online.get(phase === 'retire' ? signing : record.from);
    if (by === undefined || certificates.length !== roots.length)
      throw new MeshError('IDENTITY_INVALID', `a root of this rotation is not in ${this.#folder().dir}: put it back`);
    const { id: rotation, force, without } = record;
    const version = (trust.latest?.version ?? 0) + 1;
    const statement = makeStatement(
      { trustDomain, version, rotation, phase, roots: certificates, signing, force, without, madeAt: clock.now() },
      by,
    );
    const faults = await authority.believe([statement.signed]);
    if (faults.length > 0) throw new MeshError('INTERNAL', `this cluster does not believe its own statement: ${faults.join('; ')}`);
  }

  async #checkNames(names: readonly string[], clusters: readonly ClusterProgress[], whoThereIs: () => string): Promise<void> {
    if (names.length === 0) return;
    const { holders, authority } = this.#options;
    const unknown = unknownNames({ names, clusters, cluster: authority.cluster, holders: await holders() });
    if (unknown.length > 0) throw new MeshError('CONFIG_INVALID', `nobody is called ${unknown.join(' or ')}: ${whoThereIs()}`);
  }

  #missing(record: RotationRecord): readonly Missing[] {
    return missingFor({ record, version: this.#statement(record)?.version, clusters: this.#options.progress() });
  }

  #folder(): RootFolder {
    const { folder } = this.#options;
    if (folder !== undefined) return folder;
    throw new MeshError('IDENTITY_INVALID', 'the root is not online here: run isthmus ca rotate where identity.rootDir is');
  }

  #stored(): Promise<Stored<RotationRecord> | undefined> {
    return getRecord<RotationRecord>(this.#options.store, rotationKey);
  }

  async #underWay(): Promise<{ readonly record: RotationRecord; readonly stored: Stored<RotationRecord> }> {
    this.#folder();
    const stored = await this.#stored();
    if (stored === undefined || isOver(stored.value)) throw new MeshError('NOT_FOUND', 'no rotation is under way: isthmus ca rotate start');
    return { record: stored.value, stored };
  }

  async #write(before: Stored<RotationRecord> | undefined, record: RotationRecord, fence: readonly Compare[]): Promise<void> {
    const { succeeded } = await this.#options.store.txn({
      if: [{ key: rotationKey, modRevision: before?.modRevision ?? 0 }, ...fence],
      then: [putRecord(rotationKey, record)],
    });
    if (!succeeded) throw new MeshError('CONFLICT', 'the rotation changed meanwhile: look again', { retryable: true });
  }
}

function isOver({ phase }: RotationRecord): boolean {
  return phase === 'done' || phase === 'aborted';
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each));
}
