import type { ServiceKey } from '../../core/model/index.ts';
import type { Catalog, CatalogView } from '../catalog/index.ts';
import type { TrafficModel } from '../routing/index.ts';
import {
  createSnapshotBuilder,
  DialectResources,
  envoyDialect,
  grpcDialect,
  nativeDialect,
  type SnapshotInputs,
} from '../snapshot/index.ts';

/** What the traffic objects in force say of a view. `services`: those that differ from the view before, and then no others are looked at. */
export type TrafficOf = (view: CatalogView, services?: ReadonlySet<ServiceKey>) => TrafficModel;

/** Joins the catalog's changes with everything else that snapshots are made from, and hands them to xDS. */
export class Snapshots {
  readonly resources: DialectResources;
  /** Resolves with the first snapshot. */
  readonly first: Promise<void>;
  readonly #builder = createSnapshotBuilder();
  #tellStarted: () => void = () => {};
  readonly #trafficOf: TrafficOf;
  #inputs: SnapshotInputs;
  #started = false;

  constructor(inputs: SnapshotInputs, trafficOf: TrafficOf = () => inputs.traffic) {
    this.#inputs = inputs;
    this.#trafficOf = trafficOf;
    this.resources = new DialectResources(this.#builder, [nativeDialect, envoyDialect, grpcDialect]);
    this.first = new Promise((resolve) => {
      this.#tellStarted = resolve;
    });
  }

  get inputs(): SnapshotInputs {
    return this.#inputs;
  }

  /** Whether the first snapshot is served. */
  get started(): boolean {
    return this.#started;
  }

  /** Services whose newest resources contradict themselves; their last good ones are served. */
  faults(): ReadonlyMap<ServiceKey, readonly string[]> {
    return this.#builder.faults();
  }

  /** Trust, policies, gateway ports and the like; what the catalog says comes through `follow`. */
  set(changed: Partial<Omit<SnapshotInputs, 'view' | 'traffic'>>): void {
    this.#inputs = { ...this.#inputs, ...changed };
    if (this.#started) this.#update(new Set());
  }

  /** Traffic objects have changed. */
  setTraffic(): void {
    if (!this.#started) return;
    this.#inputs = { ...this.#inputs, traffic: this.#trafficOf(this.#inputs.view, new Set()) };
    this.#update(new Set());
  }

  /** Serves nothing before the catalog's first view: unknown is never published as empty. Ends when `signal` aborts. */
  async follow(catalog: Catalog, signal: AbortSignal): Promise<void> {
    for await (const change of catalog.changes(signal)) {
      const services = this.#started ? change.services : undefined;
      this.#inputs = { ...this.#inputs, view: change.view, traffic: this.#trafficOf(change.view, services) };
      this.#update(services);
      this.#started = true;
      this.#tellStarted();
    }
  }

  #update(services: ReadonlySet<ServiceKey> | undefined): void {
    this.#builder.update(this.#inputs, services);
    this.resources.publish();
  }
}
