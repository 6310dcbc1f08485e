import type { Clock } from '../../core/clock.ts';
import type { RegistryObject } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { type ClusterId, type Runtime, sourceId } from '../../core/model/index.ts';
import { type AdapterDeps, deepEqual, type NativeNames, type OwningPublisher } from '../../core/registry/index.ts';
import type { Store } from '../../core/store.ts';
import { createNativeNames, createPublisher, createSource } from '../../registries/index.ts';
import { createEntriesSource, type EntriesOptions } from '../../registries/objects/index.ts';
import { createVmSource, type Groups } from '../../registries/vm/index.ts';
import type { Catalog } from '../catalog/index.ts';

export interface SourcesOptions {
  readonly catalog: Catalog;
  readonly cluster: ClusterId;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log & { child?(fields: Readonly<Record<string, unknown>>): Log };
}

/** Agents' registrations are a source of every cluster; what they may claim is decided when they attest. */
const vmSource = sourceId('vm/agents');
/** ServiceEntry and WorkloadEntry objects. */
const entriesSource = sourceId('objects/entries');

const runtimes: Readonly<Record<RegistryObject['spec']['type'], Runtime>> = {
  consul: 'consul',
  nomad: 'nomad',
  kubernetes: 'kubernetes',
  file: 'file',
};

/** Holds exactly the configured registries as sources of the catalog; a changed one is replaced make-before-break. */
export class Sources {
  readonly #options: SourcesOptions;
  readonly #running = new Map<string, RegistryObject>();
  readonly #publishers = new Map<string, { readonly object: RegistryObject; readonly publisher: OwningPublisher }>();

  constructor(options: SourcesOptions) {
    this.#options = options;
  }

  startVm(groups: Groups): void {
    const { catalog, store } = this.#options;
    catalog.addSource(createVmSource(store, this.#deps(vmSource), groups), { claims: ['*/*'], runtime: 'vm' });
  }

  /** A source of its own from the first ServiceEntry on, so that clusters without one have none to look after. Ends with `signal`. */
  followEntries(options: EntriesOptions, signal: AbortSignal): void {
    const { catalog } = this.#options;
    let end = () => {};
    const addOnce = () => {
      if (!options.objects().some((o) => o.kind === 'ServiceEntry')) return;
      end();
      end = () => {};
      catalog.addSource(createEntriesSource(options, this.#deps(entriesSource)), { claims: ['*/*'], runtime: 'file' });
    };
    end = options.subscribe(addOnce);
    addOnce();
    signal.addEventListener('abort', () => end(), { once: true });
  }

  get publishers(): readonly { readonly object: RegistryObject; readonly publisher: OwningPublisher }[] {
    return [...this.#publishers.values()];
  }

  /** By id; undefined: there is none. */
  registry(id: string): RegistryObject | undefined {
    return this.#running.get(id);
  }

  /** Who switches names in a registry; a text: why nobody can. Undefined: there is no such registry. */
  nativeNames(id: string): NativeNames | string | undefined {
    const object = this.#running.get(id);
    if (object === undefined) return undefined;
    return createNativeNames(object, this.#deps(sourceId(id)));
  }

  /** Purging what a removed registry had brought is awaited. */
  async apply(registries: readonly RegistryObject[]): Promise<void> {
    const wanted = new Map(registries.map((r) => [idOf(r), r]));
    for (const id of [...this.#running.keys()]) {
      if (wanted.has(id)) continue;
      this.#running.delete(id);
      this.#publishers.delete(id);
      await this.#options.catalog.removeSource(sourceId(id));
    }
    for (const [id, object] of wanted) {
      if (deepEqual(this.#running.get(id), object)) continue;
      const deps = this.#deps(sourceId(id));
      const source = createSource(object, deps);
      if (source === undefined)
        throw new MeshError('CONFIG_INVALID', `Registry ${object.name}: nothing reads registries of type ${object.spec.type}`);
      this.#running.set(id, object);
      this.#options.catalog.addSource(source, { claims: object.spec.rules.claims, runtime: runtimes[object.spec.type] });
      const publisher = createPublisher(object, deps);
      if (publisher === undefined) this.#publishers.delete(id);
      else this.#publishers.set(id, { object, publisher });
    }
  }

  #deps(id: ReturnType<typeof sourceId>): AdapterDeps {
    const { cluster, clock, random, log } = this.#options;
    return { id, cluster, clock, random, log: log.child?.({ source: id }) ?? log };
  }
}

/** `TYPE/NAME`, or the name itself where it says so already. */
export function idOf(object: RegistryObject): string {
  return object.name.includes('/') ? object.name : `${object.spec.type}/${object.name}`;
}
