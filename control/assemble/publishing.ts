import type { Conflict, UninstallPlan, UninstallResult } from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { MeshSpec } from '../../core/config/index.ts';
import { toMeshError } from '../../core/errors.ts';
import { childController, isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import { deepEqual, type PublishedService } from '../../core/registry/index.ts';
import type { Store } from '../../core/store.ts';
import type { Catalog, CatalogView } from '../catalog/index.ts';
import {
  loadPorts,
  planPublishing,
  RegistryWriter,
  type StoredPorts,
  type SwitchedPlace,
  savePorts,
  switchedKey,
} from '../publish/index.ts';
import type { GatewayPort } from '../snapshot/index.ts';
import type { Sources } from './sources.ts';

export interface PublishingOptions {
  readonly mesh: MeshSpec;
  readonly catalog: Catalog;
  readonly sources: Sources;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Told of the gateway ports once they are durable. */
  readonly onPorts: (ports: readonly GatewayPort[]) => void;
}

interface RunningWriter {
  readonly writer: RegistryWriter;
  readonly stop: () => void;
  readonly ended: Promise<void>;
}

/** Callers without a sidecar: gives imported services their gateway ports, and keeps them published in the registries that want it. */
export class Publishing {
  readonly #options: PublishingOptions;
  readonly #writers = new Map<string, RunningWriter>();
  #stored: StoredPorts = { table: new Map(), freed: new Map() };
  #exhausted: readonly string[] = [];
  #names: readonly Omit<SwitchedPlace, 'network'>[] = [];
  #switched: ReadonlyMap<string, PublishedService> = new Map();
  #uninstalled = false;
  #following = false;
  /** One after the other: each plan builds on the ports that the one before has stored. */
  #applying: Promise<void> = Promise.resolve();

  constructor(options: PublishingOptions) {
    this.#options = options;
  }

  /** Reads the ports that were given before; call before snapshots are served. */
  async load(): Promise<void> {
    this.#stored = await loadPorts(this.#options.store);
    this.#tellPorts();
  }

  /** Follows the catalog until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#following = true;
    try {
      for await (const _ of this.#options.catalog.changes(signal)) await this.refresh(signal);
    } finally {
      for (const { stop } of this.#writers.values()) stop();
      await Promise.all([...this.#writers.values()].map((w) => w.ended));
    }
  }

  /** The registries to publish to have changed: one that is left out, or read only now, keeps nothing of ours. */
  async refresh(signal: AbortSignal): Promise<void> {
    // Before gateways and sources are there, less would be planned than is published.
    if (!this.#following) return;
    this.#applying = this.#applying.then(() => this.#apply(this.#options.catalog.current(), signal));
    await this.#applying;
  }

  /** From now on; what it comes to is in `switched` once its ports are durable. */
  async switchNames(names: readonly Omit<SwitchedPlace, 'network'>[], signal: AbortSignal): Promise<void> {
    if (deepEqual(names, this.#names)) return;
    this.#names = names;
    await this.refresh(signal);
  }

  /** A service with its ports at the gateways of a registry's network; undefined: it has none. */
  switched(name: Omit<SwitchedPlace, 'network'>): PublishedService | undefined {
    return this.#switched.get(switchedKey(name));
  }

  conflicts(): readonly Conflict[] {
    const held = [...this.#writers].flatMap(([id, { writer }]) =>
      writer.problems().map((message): Conflict => ({ kind: 'PublishConflict', subject: id, message })),
    );
    const [low, high] = this.#options.mesh.originate.portRange;
    const full = this.#exhausted.map(
      (subject): Conflict => ({ kind: 'NoGatewayPort', subject, message: `no port left in ${low}-${high}: widen originate.portRange` }),
    );
    return [...held, ...full];
  }

  async plan(): Promise<UninstallPlan> {
    const { signal } = new AbortController();
    const steps: UninstallPlan['steps'] = [];
    const unread: string[] = [];
    for (const [id, { writer }] of this.#writers) {
      try {
        const subjects = [...(await writer.publisher.listOwned(signal))];
        if (subjects.length > 0) steps.push({ where: id, action: 'remove what was published there', subjects });
      } catch (error) {
        unread.push(`${id} cannot be read now, so what it holds is not listed: ${toMeshError(error).message}`);
      }
    }
    const names = [...this.#stored.table.keys()];
    const warnings =
      names.length === 0
        ? []
        : [`callers without a sidecar lose ${names.length} imported (service, port): ${names.slice(0, 20).join(', ')}`];
    return { steps, warnings: [...unread, ...warnings] };
  }

  /** Takes back what was published, and publishes nothing more until the control plane is started again. */
  async uninstall(): Promise<UninstallResult> {
    this.#uninstalled = true;
    const { signal } = new AbortController();
    let removed = 0;
    const conflicts: string[] = [];
    for (const [id, { writer, stop, ended }] of [...this.#writers]) {
      stop();
      await ended;
      try {
        const result = await writer.publisher.removeAll(signal);
        removed += result.removed;
        conflicts.push(...result.conflicts);
      } catch (error) {
        // The others are cleaned all the same; this one when it is asked again.
        conflicts.push(`${id}: ${toMeshError(error).message}`);
      }
    }
    return { removed, conflicts };
  }

  async #apply(view: CatalogView, signal: AbortSignal): Promise<void> {
    const { mesh, store, clock, sources, log } = this.#options;
    const publishers = sources.publishers.map(({ object, publisher }) => ({
      id: String(publisher.id),
      network: object.spec.rules.network,
    }));
    const names = this.#names.flatMap((name) => {
      const network = sources.registry(name.registry)?.spec.rules.network;
      return network === undefined ? [] : [{ ...name, network }];
    });
    const plan = planPublishing({ view, publishers, names, ...this.#stored, range: mesh.originate.portRange, now: clock.now() });
    const next: StoredPorts = { table: plan.table, freed: plan.freed };
    try {
      await savePorts(store, this.#stored, next);
    } catch (error) {
      if (!isAborted(error)) log.error({ error }, 'gateway ports could not be stored: nothing new is published');
      return;
    }
    this.#stored = next;
    this.#exhausted = plan.exhausted;
    this.#switched = plan.switched;
    this.#tellPorts();
    if (this.#uninstalled) return;
    this.#matchWriters(signal);
    for (const [id, services] of plan.published) this.#writers.get(id)?.writer.want(services);
  }

  async #takeBack(id: string, { writer, ended }: RunningWriter, signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    try {
      await ended;
      const { removed } = await writer.publisher.removeAll(signal);
      log.info({ publisher: id, removed }, 'no longer published to: what was there has been taken back');
    } catch (error) {
      if (!isAborted(error)) log.error({ publisher: id, error }, 'no longer published to, but what is there could not be taken back');
    }
  }

  #tellPorts(): void {
    const ports = [...this.#stored.table.values()].map(({ service, port, gatewayPort }) => ({ service, port, gatewayPort }));
    this.#options.onPorts(ports);
  }

  /** One writer for each publisher there is; a replaced publisher gets a new one. */
  #matchWriters(signal: AbortSignal): void {
    const { sources, clock, random, log } = this.#options;
    const wanted = new Map(sources.publishers.map(({ publisher }) => [String(publisher.id), publisher]));
    for (const [id, running] of [...this.#writers]) {
      if (wanted.get(id) === running.writer.publisher) continue;
      running.stop();
      this.#writers.delete(id);
      if (!wanted.has(id)) void this.#takeBack(id, running, signal);
    }
    for (const [id, publisher] of wanted) {
      if (this.#writers.has(id)) continue;
      const writer = new RegistryWriter(publisher, { clock, random, log });
      const { controller, release } = childController(signal);
      const ended = writer.run(controller.signal).finally(release);
      this.#writers.set(id, { writer, stop: () => controller.abort(), ended });
    }
  }
}
