import { MeshError } from '../../core/errors.ts';
import type { Store, StoredEntry, StoreOp } from '../../core/store.ts';
import type { Report } from '../../core/xds/gen/isthmus/agent/v1/agent.ts';
import {
  decodeInstance,
  encodeInstance,
  gatewaysPrefix,
  instanceKey,
  placeOf,
  type Reach,
  type RegisteredInstance,
  type RegisteredService,
  workloadsPrefix,
} from '../../registries/vm/index.ts';
import { inheritTunnels, withTunnels } from './kept-tunnels.ts';

const attempts = 8;
const generationsPrefix = 'registrations/generations/';

/**
 * Registrations in the store, each write compared with what was read and fenced by generation: an older start of an instance, or its late
 * goodbye, changes nothing. What resolves is durable.
 */
export class Instances {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Takes a hello; the result is what is stored. MeshError FENCED when a newer start of the instance has been here, or another one of the same
   * generation is registered: its next start is a newer one. Health that was known stays until it is reported, and what is known of its address as
   * long as that is the same.
   */
  async register(record: RegisteredInstance): Promise<{ readonly key: string; readonly record: RegisteredInstance }> {
    const key = instanceKey(record);
    const highest = generationKey(key);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const [old, seen] = await Promise.all([this.#store.get(key), this.#store.get(highest)]);
      const last = seen === undefined ? 0 : Number(Buffer.from(seen.value).toString());
      if (last > record.generation) throw fenced(record.instance, last);
      const before = old === undefined ? undefined : decodeInstance(old);
      if (before !== undefined && isTwin(before, record)) throw twin(record.instance, record.generation);
      const after = inherit(record, before);
      const { succeeded } = await this.#store.txn({
        if: [
          { key, modRevision: old?.modRevision ?? 0 },
          { key: highest, modRevision: seen?.modRevision ?? 0 },
        ],
        then: [put(key, after), { op: 'put', key: highest, value: Buffer.from(String(record.generation)) }],
      });
      if (succeeded) return { key, record: after };
    }
    throw busy(key);
  }

  /** What is stored, for `report`. */
  async stored(key: string): Promise<StoredEntry | undefined> {
    return this.#store.get(key);
  }

  /**
   * Takes a report of one generation. Writes only what is new. MeshError FENCED for an older generation, NOT_FOUND when the
   * registration is gone and has to be made again. `known`: the registration as it was read just now, which saves reading it again; whether it has
   * changed since is for the store to say.
   */
  async report(key: string, generation: number, report: Report, known?: StoredEntry): Promise<void> {
    await this.#change(key, generation, (record) => withReport(record, report), known);
  }

  async markExpired(key: string, generation: number): Promise<void> {
    await this.#change(key, generation, (record) => (record.expired ? record : { ...record, expired: true }));
  }

  async setResolved(key: string, generation: number, resolved: Readonly<Record<string, readonly string[]>>): Promise<void> {
    await this.#change(key, generation, (record) => (record.role === 'gateway' ? { ...record, resolved } : record));
  }

  /** What came of connecting back; nothing when it is of a place that the instance has left. */
  async setReach(key: string, generation: number, reach: Reach): Promise<void> {
    await this.#change(key, generation, (record) =>
      record.role === 'workload' && placeOf(record) === reach.place ? { ...record, reach } : record,
    );
  }

  /** Whatever start of it is the current one. */
  async setClone(key: string, clone: NonNullable<RegisteredInstance['clone']>): Promise<void> {
    const entry = await this.#store.get(key);
    if (entry === undefined) return;
    await this.#change(key, decodeInstance(entry).generation, (record) => ({ ...record, clone }));
  }

  /** Idempotent. A generation that is no longer the current one removes nothing; resolves with whether nothing is registered any more. */
  async remove(key: string, generation: number): Promise<boolean> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const entry = await this.#store.get(key);
      if (entry === undefined) return true;
      if (decodeInstance(entry).generation !== generation) return false;
      const { succeeded } = await this.#store.txn({ if: [{ key, modRevision: entry.modRevision }], then: [{ op: 'delete', key }] });
      if (succeeded) return true;
    }
    throw busy(key);
  }

  /** What was registered on these grants, for after a revocation. Returns how many went. */
  async removeOfGrants(grants: readonly string[]): Promise<number> {
    const doomed = (await this.list()).filter(({ record }) => grants.includes(record.grant));
    for (const { key, record } of doomed) await this.remove(key, record.generation);
    return doomed.length;
  }

  async list(): Promise<readonly { readonly key: string; readonly record: RegisteredInstance }[]> {
    const lists = await Promise.all([this.#store.list(workloadsPrefix), this.#store.list(gatewaysPrefix)]);
    return lists.flatMap(({ entries }) => entries.map((entry) => ({ key: entry.key, record: decodeInstance(entry) })));
  }

  /** The last start of each instance that has ever registered, by the key of its registration: those that have left, too. */
  async starts(): Promise<ReadonlyMap<string, number>> {
    const { entries } = await this.#store.list(generationsPrefix);
    const keyOf = (key: string) => key.replace(generationsPrefix, 'registrations/');
    return new Map(entries.map((entry) => [keyOf(entry.key), Number(Buffer.from(entry.value).toString())]));
  }

  /**
   * Lets go of which starts of these instances there have been, for after all of their grants were revoked: no start of before can
   * register any more, and whoever comes by that name is somebody new.
   */
  async forgetStarts(keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.#store.txn({ if: [], then: [{ op: 'delete', key: generationKey(key) }] });
  }

  /** The same for those that are not registered and began before `seconds` (Unix), when no SVID of then holds any more. Returns how many went. */
  async forgetStartsBefore(seconds: number): Promise<number> {
    const registered = new Set((await this.list()).map(({ key }) => key));
    const { entries } = await this.#store.list(generationsPrefix);
    const old = entries.filter(({ key, value }) => {
      const generation = Number(Buffer.from(value).toString());
      return generation < seconds && !registered.has(key.replace(generationsPrefix, 'registrations/'));
    });
    let gone = 0;
    for (const { key, modRevision } of old) {
      const { succeeded } = await this.#store.txn({ if: [{ key, modRevision }], then: [{ op: 'delete', key }] });
      if (succeeded) gone += 1;
    }
    return gone;
  }

  async #change(
    key: string,
    generation: number,
    change: (record: RegisteredInstance) => RegisteredInstance,
    known?: StoredEntry,
  ): Promise<void> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const entry = attempt === 0 && known !== undefined ? known : await this.#store.get(key);
      if (entry === undefined) throw new MeshError('NOT_FOUND', 'the registration is gone: register again', { retryable: true });
      const record = decodeInstance(entry);
      if (record.generation !== generation) throw fenced(record.instance, record.generation);
      if (await this.#write(entry, record, change(record))) return;
    }
    throw busy(key);
  }

  async #write(entry: StoredEntry, before: RegisteredInstance, after: RegisteredInstance): Promise<boolean> {
    if (JSON.stringify(before) === JSON.stringify(after)) return true;
    const { succeeded } = await this.#store.txn({
      if: [{ key: entry.key, modRevision: entry.modRevision }],
      then: [put(entry.key, after)],
    });
    return succeeded;
  }
}

/** Outlives the registration, so that a start that was replaced can't come back after its successor has left. */
function generationKey(key: string): string {
  return key.replace('registrations/', generationsPrefix);
}

function put(key: string, record: RegisteredInstance): StoreOp {
  return { op: 'put', key, value: encodeInstance(record) };
}

function inherit(told: RegisteredInstance, before: RegisteredInstance | undefined): RegisteredInstance {
  if (before === undefined || before.role !== told.role) return told;
  const record = inheritTunnels(told, before);
  const { registeredAt, clone } = before;
  const old = { registeredAt, ...(clone === undefined ? {} : { clone }) };
  if (record.role === 'gateway') return { ...record, ...old, resolved: before.role === 'gateway' ? before.resolved : {} };
  if (before.role !== 'workload') return { ...record, ...old };
  const { reach } = before;
  const stays =
    reach !== undefined && reach.place === placeOf(record) && before.grant === record.grant && before.network === record.network;
  const known = { ...record, ...old, ...(stays ? { reach } : {}) };
  // The same start that only lost its stream is as healthy as it was; a new start has to show it.
  if (before.generation !== record.generation) return known;
  const said = new Map(before.services.map((service) => [nameOf(service), service]));
  const services = record.services.map((service) => {
    const { healthy, reason } = said.get(nameOf(service)) ?? {};
    return { ...service, ...(healthy === undefined ? {} : { healthy }), ...(reason === undefined ? {} : { reason }) };
  });
  return { ...known, services };
}

function withReport(record: RegisteredInstance, report: Report): RegisteredInstance {
  const spoken = withTunnels({ ...record, expired: false, draining: report.draining }, report);
  if (spoken.role === 'gateway') return spoken;
  const said = new Map(report.services.map((health) => [`${health.namespace}/${health.name}`, health]));
  const services = spoken.services.map((service): RegisteredService => {
    const health = said.get(`${service.namespace}/${service.name}`);
    return health === undefined ? service : { ...service, healthy: health.healthy, reason: health.reason.slice(0, 256) };
  });
  return { ...spoken, services };
}

function nameOf(service: RegisteredService): string {
  return `${service.namespace}/${service.name}#${service.portName}`;
}

function fenced(instance: string, generation: number): MeshError {
  return new MeshError('FENCED', `instance ${instance} was started again (generation ${generation}): this start is out`);
}

/** A start and one of a copy of its disk: neither is newer than the other. */
function isTwin(a: RegisteredInstance, b: RegisteredInstance): boolean {
  return a.generation === b.generation && a.start !== undefined && b.start !== undefined && a.start !== b.start;
}

function twin(instance: string, generation: number): MeshError {
  return new MeshError(
    'FENCED',
    `another start of instance ${instance} is registered under generation ${generation} too: this start is out`,
  );
}

function busy(key: string): MeshError {
  return new MeshError('CONFLICT', `${key} changed again and again`, { retryable: true });
}
