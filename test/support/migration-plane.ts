import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Leadership } from '../../control/leadership/index.ts';
import type { MigrationState, Observation, SidePlaces } from '../../control/migrate/contract.ts';
import { type MigrationObject, Migrations, type MigrationsOptions } from '../../control/migrate/index.ts';
import { openEmbeddedStore } from '../../control/store/index.ts';
import type { DrainEndpoint, MigrationEvent } from '../../core/admin/index.ts';
import type { MigrationSpec } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { silentLog } from '../../core/log.ts';
import type { Lease, Store, Txn, TxnResult, WatchBatch } from '../../core/store.ts';
import { systemClock } from '../../core/system-clock.ts';
import { accept } from '../../core/validate.ts';
import { addCounts, drainEndpoint, livePlaces, migrationSpec, noCounts, requests } from './migration-machine-scene.ts';
import { onEnd } from './on-end.ts';

/** Quick enough for tests on real time, and in no other way special. */
export function quickSpec(changes: Partial<MigrationSpec> = {}): MigrationSpec {
  return migrationSpec({
    steps: [10, 50, 100].map((weight) => ({ weight, bakeMs: 60, approval: false })),
    gates: [{ name: 'errors', type: 'error-rate', max: 0.01, minSamples: 30 }],
    intervalMs: 25,
    baselineMs: 50,
    onNoData: { action: 'hold', afterMs: 60_000 },
    onPartition: { action: 'hold', afterMs: 60_000 },
    drain: { timeoutMs: 600_000, bakeMs: 100 },
    ...changes,
  });
}

/** What replicas share: the store, the objects, and the service that is called. */
export class MigrationWorld {
  readonly store: Store;
  readonly objects = new Map<string, MigrationObject>();
  readonly #listeners = new Set<() => void>();
  errorsOfNew = 0;
  from: SidePlaces = livePlaces;
  to: SidePlaces = livePlaces;
  drain: readonly DrainEndpoint[] = [drainEndpoint('safe')];
  nativeName: 'original' | 'switched' = 'original';
  nativeNameReachable = true;
  callers: readonly string[] = ['web'];
  refusal: string | undefined;

  constructor(store: Store) {
    this.store = store;
  }

  static async open(t: TestContext): Promise<MigrationWorld> {
    const dir = await mkdtemp(join(tmpdir(), 'isthmus-migrations-'));
    onEnd(t, () => rm(dir, { recursive: true }));
    const store = await openEmbeddedStore({ dir, clock: systemClock });
    onEnd(t, () => store.close());
    return new MigrationWorld(store);
  }

  apply(id: string, spec: MigrationSpec): void {
    this.objects.set(id, { spec, createdAt: this.objects.get(id)?.createdAt ?? systemClock.now() });
    for (const listener of this.#listeners) listener();
  }

  delete(id: string): void {
    this.objects.delete(id);
    for (const listener of this.#listeners) listener();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** All states that were ever written of one migration, as the store's watch tells them. */
  async *history(id: string, signal: AbortSignal): AsyncGenerator<MigrationState> {
    for await (const { changes } of this.store.watch(`migrations/state/${id}`, 0, signal))
      for (const change of changes)
        if (change.kind === 'put') yield JSON.parse(Buffer.from(change.entry.value).toString()) as MigrationState;
  }
}

/** A store as one process has it: its link can be cut, and the process can die at a write. */
export class ProcessStore implements Store {
  readonly #store: Store;
  /** Every call fails, as after -9 or behind a cut link. */
  cut = false;
  readonly txns: Txn[] = [];
  /** Asked before each write, and told after it; may throw. */
  onTxn: { before?: (txn: Txn) => void | Promise<void>; after?: (txn: Txn) => void } = {};

  constructor(store: Store) {
    this.#store = store;
  }

  async get(key: string) {
    this.#up();
    return this.#store.get(key);
  }

  async list(prefix: string) {
    this.#up();
    return this.#store.list(prefix);
  }

  async txn(txn: Txn): Promise<TxnResult> {
    this.#up();
    await this.onTxn.before?.(txn);
    this.#up();
    this.txns.push(txn);
    const result = await this.#store.txn(txn);
    this.onTxn.after?.(txn);
    this.#up();
    return result;
  }

  async *watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<WatchBatch> {
    for await (const batch of this.#store.watch(prefix, after, signal)) {
      this.#up();
      yield batch;
    }
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    this.#up();
    const lease = await this.#store.grantLease(ttlMs);
    const guarded = (call: () => Promise<void>) => async () => {
      this.#up();
      await call();
    };
    return { id: lease.id, keepAlive: guarded(() => lease.keepAlive()), revoke: guarded(() => lease.revoke()) };
  }

  async close(): Promise<void> {}

  #up(): void {
    if (this.cut) throw new MeshError('STORE_UNAVAILABLE', 'the link is cut', { retryable: true });
  }
}

interface ReplicaChanges extends Partial<MigrationsOptions> {
  /** Of its lease; default 1,000. */
  readonly ttlMs?: number;
}

/** One replica of a control plane, as far as it drives migrations. */
export class MigrationReplica {
  readonly store: ProcessStore;
  readonly migrations: Migrations;
  readonly events: { readonly id: string; readonly event: MigrationEvent }[] = [];
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  private constructor(world: MigrationWorld, name: string, { ttlMs = 1_000, ...changes }: ReplicaChanges) {
    this.store = new ProcessStore(world.store);
    const common = { store: this.store, clock: systemClock, log: silentLog };
    this.migrations = new Migrations({
      ...common,
      leadership: new Leadership({ ...common, name: 'migrations', replica: name, ttlMs, sole: false }),
      replica: name,
      cluster: 'east',
      limit: 3,
      objects: { current: () => world.objects, subscribe: (listener) => world.subscribe(listener) },
      places: () => ({ from: world.from, to: world.to }),
      proxies: () => ({ callers: world.callers.length, silent: [], behind: [], missing: [], known: world.callers }),
      meter: ({ namespace, name: migration }) => this.#meter(world, `${namespace}/${migration}`),
      external: () => undefined,
      drain: async () => world.drain,
      nativeName: {
        bring: async (_, wanted) => {
          if (!world.nativeNameReachable) throw new MeshError('REGISTRY_UNREACHABLE', 'Consul is gone');
          world.nativeName = wanted;
          return wanted;
        },
      },
      preflight: async () =>
        world.refusal === undefined ? accept(undefined) : { ok: false, violations: [{ path: '', message: world.refusal }] },
      onEvent: ({ namespace, name: migration }, event) => void this.events.push({ id: `${namespace}/${migration}`, event }),
      ...changes,
    });
    this.#done = this.migrations.run(this.#stop.signal);
  }

  static start(t: TestContext, world: MigrationWorld, name: string, changes: ReplicaChanges = {}): MigrationReplica {
    const replica = new MigrationReplica(world, name, changes);
    onEnd(t, () => replica.stop());
    return replica;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  /** As by -9: it has no time to say goodbye, and its lease runs out by itself. */
  async die(): Promise<void> {
    this.store.cut = true;
    await this.stop();
  }

  async phase(id: string): Promise<string> {
    const [namespace = '', name = ''] = id.split('/');
    return (await this.migrations.status(namespace, name)).phase;
  }

  /** 1,000 requests between two looks, shared as the weight says that the shifts have. */
  #meter(world: MigrationWorld, id: string): ReturnType<MigrationsOptions['meter']> {
    let [from, to]: [Observation['from'], Observation['to']] = [noCounts, noCounts];
    return {
      read: () => {
        const shift = this.migrations.shifts()?.find(({ namespace, name }) => `${namespace}/${name}` === id);
        const weight = Number((shift?.document['spec'] as { weight?: number } | undefined)?.weight ?? 0);
        const moved = Math.round(10 * weight);
        from = addCounts(from, requests(1_000 - moved));
        to = addCounts(to, requests(moved, 20, Math.round(moved * world.errorsOfNew)));
        return { from, to, callers: [{ source: 'web', cluster: 'east', from: from.requests, to: to.requests }] };
      },
      close: () => undefined,
    };
  }
}
