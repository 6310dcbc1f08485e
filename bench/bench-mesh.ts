import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { type Catalog, type CatalogView, createCatalog, type RecordStore } from '../control/catalog/index.ts';
import {
  clusterId,
  type EndpointRecord,
  networkId,
  noLocality,
  type ServiceKey,
  type ServiceRecord,
  serviceKey,
  sourceId,
} from '../core/model/index.ts';
import type { RegistryEvent, RegistrySource } from '../core/registry/index.ts';
import { systemClock } from '../core/system-clock.ts';
import { cluster } from './bench-pki.ts';

export const network = networkId('net-a');
const endpointsPerService = 10;

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

/** A running catalog with one local source, ten endpoints to a service. */
export class BenchMesh {
  readonly services: readonly ServiceRecord[];
  readonly catalog: Catalog;
  readonly #source = new QueuedSource();
  readonly #stop = new AbortController();
  #turn = 0;

  private constructor(endpoints: number) {
    this.services = Array.from({ length: endpoints / endpointsPerService }, (_, i) => serviceRecord(i, 1));
    this.catalog = createCatalog({ cluster: clusterId(cluster), store: nowhere, clock: systemClock, expireAfterMs: 0 });
  }

  static async start(endpoints: number): Promise<BenchMesh> {
    const mesh = new BenchMesh(endpoints);
    await mesh.catalog.start(mesh.#stop.signal);
    mesh.catalog.addSource(mesh.#source, { claims: ['*'] });
    await mesh.#source.feed([{ kind: 'snapshot', services: mesh.services, cursor: '0' }], () => {});
    await mesh.#written();
    const known = mesh.catalog.current().services.size;
    if (known !== mesh.services.length) throw new Error(`the catalog knows ${known} services of ${mesh.services.length}`);
    return mesh;
  }

  /** The next `count` changes, each of another service, one endpoint in each. Not applied yet. */
  nextChanges(count: number): readonly (RegistryEvent & { readonly kind: 'upsert' })[] {
    return Array.from({ length: count }, () => {
      const turn = this.#turn++;
      const weight = 2 + Math.floor(turn / this.services.length);
      return { kind: 'upsert', service: serviceRecord(turn % this.services.length, weight), cursor: String(turn + 1) };
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
  #queue: readonly RegistryEvent[] = [];
  #wake: () => void = () => {};
  #applied: () => void = () => {};
  #done: () => void = () => {};

  feed(events: readonly RegistryEvent[], applied: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#queue = events;
      this.#applied = applied;
      this.#done = resolve;
      this.#wake();
    });
  }

  async *watch(signal: AbortSignal): AsyncGenerator<RegistryEvent> {
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      const events = this.#queue;
      this.#queue = [];
      for (const event of events) {
        yield event;
        this.#applied();
      }
      if (events.length > 0) this.#done();
      if (this.#queue.length > 0) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function serviceRecord(index: number, firstWeight: number): ServiceRecord {
  const endpoints = Array.from({ length: endpointsPerService }, (_, i) => endpoint(index, i, i === 0 ? firstWeight : 1));
  return {
    namespace: 'shop',
    name: `service-${index}`,
    ports: [{ name: 'http', port: 80, protocol: 'http' }],
    endpoints,
    labels: {},
    createdAt: 1_000,
  };
}

function endpoint(service: number, index: number, weight: number): EndpointRecord {
  const n = service * endpointsPerService + index;
  return {
    instance: `i${n}`,
    network,
    address: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`,
    ports: { http: 8080 },
    health: 'healthy',
    weight,
    locality: noLocality,
    labels: { app: `service-${service}`, version: 'v1' },
    identityNamespace: 'shop',
    serviceAccount: `service-${service}`,
    tlsMode: 'mesh',
    runtime: 'vm',
    attested: true,
  };
}
