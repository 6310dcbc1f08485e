import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { type Catalog, type CatalogView, createCatalog, type RecordStore } from '../control/catalog/index.ts';
import { clusterId, type ServiceKey, serviceKey, sourceId } from '../core/model/index.ts';
import type { RegistryEvent, RegistrySource } from '../core/registry/index.ts';
import { systemClock } from '../core/system-clock.ts';
import { cluster } from './bench-pki.ts';
import { serviceRecord } from './bench-records.ts';

/** A store that takes everything at once: the catalog's own cost is wanted, the disk has a case of its own. */
const nowhere: RecordStore = {
  list: () => Promise.resolve({ entries: [], revision: 1 }),
  txn: () => Promise.resolve({ succeeded: true, revision: 2 }),
};

/** A change of one endpoint's weight: which service, and the catalog's view after it. */
export interface MeshChange {
  readonly service: ServiceKey;
  readonly view: CatalogView;
}

/** How large a mesh is. */
export interface BenchSize {
  readonly endpoints: number;
  readonly perService: number;
}

/** A running catalog with one local source. Holds no records of its own: what memory they take is the catalog's. */
export class BenchMesh {
  readonly catalog: Catalog;
  readonly #size: BenchSize;
  readonly #source = new QueuedSource();
  readonly #stop = new AbortController();
  #turn = 0;

  private constructor(size: BenchSize) {
    this.#size = size;
    this.catalog = createCatalog({ cluster: clusterId(cluster), store: nowhere, clock: systemClock, expireAfterMs: 0 });
  }

  /** A catalog whose source has said nothing yet. */
  static async idle(size: BenchSize): Promise<BenchMesh> {
    const mesh = new BenchMesh(size);
    await mesh.catalog.start(mesh.#stop.signal);
    mesh.catalog.addSource(mesh.#source, { claims: ['*'] });
    return mesh;
  }

  static async start(size: BenchSize): Promise<BenchMesh> {
    const mesh = await BenchMesh.idle(size);
    await mesh.load(mesh.firstSnapshot());
    return mesh;
  }

  get serviceCount(): number {
    return this.#size.endpoints / this.#size.perService;
  }

  firstSnapshot(): RegistryEvent {
    const services = Array.from({ length: this.serviceCount }, (_, i) => serviceRecord(i, this.#size.perService, 1));
    return { kind: 'snapshot', services, cursor: '0' };
  }

  /** Applies the first full snapshot and waits until it would be durable. */
  async load(snapshot: RegistryEvent): Promise<void> {
    await this.#source.feed([snapshot], () => {});
    await this.#written();
    const known = this.catalog.current().services.size;
    if (known !== this.serviceCount) throw new Error(`the catalog knows ${known} services of ${this.serviceCount}`);
  }

  /** The next `count` changes, each of another service, one endpoint in each. Not applied yet. */
  nextChanges(count: number): readonly (RegistryEvent & { readonly kind: 'upsert' })[] {
    return Array.from({ length: count }, () => {
      const turn = this.#turn++;
      const weight = 2 + Math.floor(turn / this.serviceCount);
      const service = serviceRecord(turn % this.serviceCount, this.#size.perService, weight);
      return { kind: 'upsert', service, cursor: String(turn + 1) };
    });
  }

  /** Applies them one by one, with a view after each, and waits until they would be durable. */
  async apply(changes: readonly (RegistryEvent & { readonly kind: 'upsert' })[]): Promise<readonly MeshChange[]> {
    const views: CatalogView[] = [];
    await this.#source.feed(changes, () => views.push(this.catalog.current()));
    await this.#written();
    return changes.map(({ service }, i) => ({
      service: serviceKey(service.namespace, service.name),
      view: views[i] ?? this.catalog.current(),
    }));
  }

  /** A store that answers at once has taken everything within a turn. */
  async #written(): Promise<void> {
    await turnOfTheLoop();
    await this.catalog.flush();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.catalog.dispose();
  }
}

/** Gives events out as they are fed; an event counts as applied when the next one is asked for. */
class QueuedSource implements RegistrySource {
  readonly id = sourceId('file/bench');
  #queue: RegistryEvent[] = [];
  #wake: () => void = () => {};
  #applied: () => void = () => {};
  #done: () => void = () => {};

  feed(events: readonly RegistryEvent[], applied: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#queue = [...events];
      this.#applied = applied;
      this.#done = resolve;
      this.#wake();
    });
  }

  async *watch(signal: AbortSignal): AsyncGenerator<RegistryEvent> {
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      const fed = this.#queue.length > 0;
      // Nothing is held on to: the memory of a mesh is measured with this source still there.
      for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
        yield event;
        this.#applied();
      }
      if (fed) this.#done();
      if (this.#queue.length > 0) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
