import { randomUUID } from 'node:crypto';
import type { DrainEndpoint } from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { MeshSpec } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { runGroup } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { meshHost, type ServiceKey, serviceKey, splitServiceKey } from '../../core/model/index.ts';
import type { Store } from '../../core/store.ts';
import { accept, type Checked, reject } from '../../core/validate.ts';
import type { MigrationsApi } from '../admin/index.ts';
import type { Catalog } from '../catalog/index.ts';
import { Leadership } from '../leadership/index.ts';
import { externalGate } from '../migrate/external/index.ts';
import { isRunning, type MigrationObject, type MigrationState, Migrations } from '../migrate/index.ts';
import { NativeNameHome, switchedNames } from '../migrate/native-name/index.ts';
import { preflight } from '../migrate/preflight/index.ts';
import { ReplicaSights, SightBoard } from '../migrate/replicas/index.ts';
import { type Objects, type ObjectView, type ParseDocument, refOfKey } from '../objects/index.ts';
import type { SocketReports } from '../registration/index.ts';
import { MigrationDrain } from './migration-drain.ts';
import type { MigrationEvents } from './migration-events.ts';
import { type FactSources, factsFor } from './migration-facts.ts';
import { placesOf } from './migration-places.ts';
import { proxiesOf } from './migration-proxies.ts';
import { migrationsApi } from './migrations-api.ts';
import { sharedParserFor } from './objects.ts';
import type { Publishing } from './publishing.ts';
import { ShiftSource } from './shift-source.ts';
import type { Sources } from './sources.ts';
import type { TrafficHome } from './traffic.ts';

/** Until another replica goes on with what one that died was driving. */
const leaderTtlMs = 10_000;
/** Until what a replica told of its clients is forgotten: before another leads, as the one that died no longer knows who is connected. */
const sightTtlMs = 5_000;

export interface MigrationHomeOptions {
  readonly mesh: MeshSpec;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly objects: Objects;
  readonly catalog: Catalog;
  readonly traffic: TrafficHome;
  readonly sockets: SocketReports;
  readonly parse: ParseDocument;
  readonly facts: Omit<FactSources, 'migrations' | 'freeze'>;
  readonly publishing: Publishing;
  readonly sources: Sources;
  readonly events: MigrationEvents;
  readonly signal: AbortSignal;
  /** Clients that have not acknowledged what callers of that host are told. */
  readonly behind: (host: string) => readonly string[];
}

/** Migrations, joined to what they read and what follows them. */
export class MigrationHome {
  readonly api: MigrationsApi;
  readonly #options: MigrationHomeOptions;
  readonly #migrations: Migrations;
  readonly #shifts: ShiftSource;
  readonly #drain: MigrationDrain;
  readonly #names: NativeNameHome;
  readonly #sights: ReplicaSights;
  /** Every source of objects has been read, or what was kept of it: what is not there is not there. */
  #complete = false;

  constructor(options: MigrationHomeOptions) {
    const { mesh, store, clock, log, objects, catalog, traffic, parse } = options;
    this.#options = options;
    this.#shifts = new ShiftSource(mesh.cluster, sharedParserFor(mesh.trustDomain));
    this.#drain = new MigrationDrain(catalog, options.sockets, clock);
    const { sources, publishing } = options;
    this.#names = new NativeNameHome({
      names: (id) => sources.nativeNames(id),
      service: (name) => {
        const service = publishing.switched(name);
        return service && { ...service, drainOriginals: sources.registry(name.registry)?.spec.takeover === true };
      },
      clock,
      log,
    });
    const replica = randomUUID();
    const sole = mesh.store.kind === 'embedded';
    this.#sights = new ReplicaSights({
      ...(sole ? {} : { board: new SightBoard({ store, replica, ttlMs: sightTtlMs }) }),
      clock,
      log,
      states: () => this.#migrations.states(),
      meter: (state) => traffic.meters.meter(keyOf(state)),
      proxies: (state) => {
        const { name, namespace } = splitServiceKey(keyOf(state));
        const connected = new Set(options.facts.clients().map(({ id }) => id));
        const behind = options.behind(meshHost({ namespace, name }, mesh.hostSuffix));
        return proxiesOf(keyOf(state), this.#migrations.callers(state), traffic, { connected, behind });
      },
      recorded: (state) => this.#migrations.callers(state),
    });
    this.#migrations = new Migrations({
      store,
      leadership: new Leadership({ store, clock, log, name: 'migrations', replica, ttlMs: leaderTtlMs, sole }),
      clock,
      log,
      replica,
      cluster: mesh.cluster,
      limit: mesh.migrations.maxConcurrent,
      objects: {
        current: () => (this.#complete ? migrationsOf(objects.set.current(), mesh.cluster) : undefined),
        subscribe: (listener) => objects.set.subscribe(listener),
      },
      places: (state) => placesOf(catalog, state),
      proxies: (state) => this.#sights.proxies(state),
      meter: (state) => this.#sights.meter(state),
      external: (gate) => externalGate(gate, clock),
      drain: async (state): Promise<readonly DrainEndpoint[]> => this.#drain.look(state),
      nativeName: this.#names,
      preflight: (namespace, name) => this.#preflight(namespace, name),
      onEvent: options.events.onEvent,
    });
    this.api = migrationsApi({ migrations: this.#migrations, parse, facts: (namespace, service) => this.#facts(namespace, service) });
  }

  /** Once every source of objects has been read, and before anything is served: the weights that callers follow are part of the first snapshot. */
  async load(): Promise<void> {
    await this.#migrations.load();
    this.#complete = true;
    this.#changed();
  }

  /** Follows, and drives where this replica leads, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const undo = this.#migrations.subscribe(() => this.#changed());
    try {
      await runGroup(signal, [
        (inner) => this.#migrations.run(inner),
        (inner) => this.#options.sockets.run(inner),
        (inner) => this.#sights.run(inner),
        (inner) => this.#names.keep(() => this.#migrations.states(), inner),
        async (inner) => {
          // The old side changes while it drains.
          for await (const _ of this.#options.catalog.changes(inner)) if (this.#drain.active) this.#drain.watch(this.#migrations.states());
        },
      ]);
    } finally {
      undo();
    }
  }

  states(): readonly MigrationState[] {
    return this.#migrations.states();
  }

  #changed(): void {
    const { objects, traffic, publishing, signal } = this.#options;
    const states = this.#migrations.states();
    const shifts = this.#migrations.shifts();
    if (shifts !== undefined) objects.set.setSource(this.#shifts.source(shifts));
    this.#drain.watch(states);
    void publishing.switchNames(switchedNames(states), signal);
    // Twice an interval, so that each look has something to look at.
    const intervals = states.filter(({ phase }) => isRunning(phase)).map(({ spec }) => spec.intervalMs / 2);
    traffic.pace.hurry(intervals.length === 0 ? undefined : Math.min(...intervals));
  }

  async #preflight(namespace: string, name: string): Promise<Checked<unknown>> {
    const { objects, mesh } = this.#options;
    const spec = migrationsOf(objects.set.current(), mesh.cluster).get(`${namespace}/${name}`)?.spec;
    if (spec === undefined) throw new MeshError('NOT_FOUND', `there is no Migration ${namespace}/${name}`);
    const { service, from, to } = spec;
    const { violations } = preflight({ namespace, name, service, from, to, spec }, await this.#facts(namespace, service));
    return violations.length === 0 ? accept(undefined) : reject(violations);
  }

  #facts(namespace: string, service: string) {
    const now = { migrations: () => this.#migrations.states(), freeze: () => this.#migrations.frozen() };
    return factsFor(namespace, service, { ...this.#options.facts, ...now });
  }
}

function keyOf({ namespace, spec }: MigrationState): ServiceKey {
  return serviceKey(namespace, spec.service);
}

type MigrationObjectsNow = ReadonlyMap<string, MigrationObject | undefined>;

const known = new WeakMap<ObjectView, MigrationObjectsNow>();

/** Those of this cluster: a peer's are driven by the peer. What this version cannot read was not deleted. */
function migrationsOf(view: ObjectView, cluster: string): MigrationObjectsNow {
  const before = known.get(view);
  if (before !== undefined) return before;
  const found = new Map<string, MigrationObject | undefined>();
  for (const { key, owner } of view.refused) {
    const ref = refOfKey(key);
    if (owner.cluster === cluster && ref.kind === 'Migration') found.set(idOf(ref), undefined);
  }
  for (const { object, owner, createdAt } of view.objects.values())
    if (object.kind === 'Migration' && owner.cluster === cluster) found.set(idOf(object), { spec: object.spec, createdAt });
  known.set(view, found);
  return found;
}

function idOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}
