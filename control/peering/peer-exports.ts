import type { ClusterId, ServiceKey } from '../../core/model/index.ts';
import { type ChangedNames, type EncodedResource, peeringOrder, peeringTypeUrls as urls } from '../../core/xds/index.ts';
import type { MergedService, ServiceExport } from '../catalog/index.ts';
import type { ChangedServices, ExportInputs } from './contract.ts';
import { encodeEndpoint, encodeGateway, encodeService, encodeSource, encodeTrust } from './export-records.ts';
import { encodeState, type HeldSet, type SharedSet } from './shared-objects.ts';

type Names = Map<string, EncodedResource>;

/**
 * What one peer is told: services that an ExportPolicy gives it, with the endpoints of this cluster's own sources, their
 * sources' states, this cluster's gateways and what it signs with,
 * the objects that this cluster owns and shares, and what it holds of others'. Pure but for being told of changes; costs what a change touches.
 */
export class PeerExports {
  readonly #peer: ClusterId;
  readonly #sets = new Map<string, Names>(peeringOrder.map((typeUrl) => [typeUrl, new Map()]));
  /** Of each exported service: the names of its endpoint resources, and the sources that know it. */
  readonly #exported = new Map<ServiceKey, { readonly endpoints: ReadonlySet<string>; readonly sources: readonly string[] }>();
  /** Source → how many exported services it knows. */
  readonly #uses = new Map<string, number>();
  readonly #listeners = new Set<(changed: readonly ChangedNames[]) => void>();
  #shared: SharedSet | undefined;
  #named: readonly HeldSet['named'][] = [];
  #revision = 0;
  #ready = false;

  constructor(peer: ClusterId) {
    this.#peer = peer;
  }

  /** One more at each change. */
  get revision(): number {
    return this.#revision;
  }

  /** Undefined before the first update. The maps are live: they change in `update` alone, and whoever subscribed is told. */
  current(): ReadonlyMap<string, ReadonlyMap<string, EncodedResource>> | undefined {
    return this.#ready ? this.#sets : undefined;
  }

  subscribe(listener: (changed: readonly ChangedNames[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** `held`: of other owners' objects, by this cluster; named where the peer may know the names. */
  update(inputs: ExportInputs, services: ChangedServices, held: readonly HeldSet[] = []): void {
    const changed: ChangedNames[] = [];
    this.#updateServices(inputs, this.#ready && services !== undefined ? services : this.#everyKey(inputs), changed);
    const { view, trust, sources } = inputs;
    const own = [...view.gateways.values()].flat().filter((g) => g.cluster === view.cluster);
    this.#replace(urls.gateway, own.map(encodeGateway), changed);
    this.#replace(urls.trust, trust.intermediates.length === 0 ? [] : [encodeTrust(trust, this.#peer)], changed);
    const states = sources.filter((s) => s.cluster === view.cluster && s.state !== 'unknown' && this.#uses.has(s.source));
    this.#replace(urls.sourceState, states.map(encodeSource), changed);
    this.#updateObjects(inputs.objects, held, changed);
    const first = !this.#ready;
    this.#ready = true;
    if (changed.length === 0 && !first) return;
    this.#revision += 1;
    for (const listener of [...this.#listeners]) listener(changed);
  }

  #updateObjects(shared: SharedSet | undefined, held: readonly HeldSet[], changed: ChangedNames[]): void {
    if (shared !== undefined && shared !== this.#shared) {
      this.#replace(urls.tentativeObject, shared.tentative, changed);
      this.#replace(urls.sharedObject, shared.resources, changed);
    }
    this.#shared = shared ?? this.#shared;
    const own = this.#shared === undefined ? [] : [this.#shared.state];
    this.#replace(
      urls.objectsState,
      [...own, ...held.map((h) => h.state)].map((state) => encodeState(state, this.#peer)),
      changed,
    );
    const named = held.map((h) => h.named);
    if (named.length === this.#named.length && named.every((list, i) => list === this.#named[i])) return;
    this.#named = named;
    this.#replace(urls.heldObject, named.flat(), changed);
  }

  #everyKey({ view }: ExportInputs): Iterable<ServiceKey> {
    return new Set([...this.#exported.keys(), ...view.local.keys()]);
  }

  #updateServices({ view, exportOf }: ExportInputs, keys: Iterable<ServiceKey>, changed: ChangedNames[]): void {
    const names: string[] = [];
    const endpointNames: string[] = [];
    for (const key of keys) {
      const exported = exportOf(key, this.#peer);
      this.#put(urls.service, key, exported && serviceOf(view.local.get(key), exported), names);
      const before = this.#exported.get(key);
      const after = new Set<string>();
      for (const endpoint of exported?.endpoints ?? []) {
        const resource = endpointOf(exported?.namespace ?? '', exported?.name ?? '', endpoint);
        after.add(resource.name);
        this.#put(urls.endpoint, resource.name, resource, endpointNames);
      }
      for (const name of before?.endpoints ?? []) if (!after.has(name)) this.#put(urls.endpoint, name, undefined, endpointNames);
      const sources = exported === undefined ? [] : (view.local.get(key)?.contributions ?? []).map((c) => c.source);
      for (const source of sources) this.#count(source, 1);
      for (const source of before?.sources ?? []) this.#count(source, -1);
      if (exported === undefined) this.#exported.delete(key);
      else this.#exported.set(key, { endpoints: after, sources });
    }
    if (names.length > 0) changed.push({ typeUrl: urls.service, names });
    if (endpointNames.length > 0) changed.push({ typeUrl: urls.endpoint, names: endpointNames });
  }

  #count(source: string, by: number): void {
    const uses = (this.#uses.get(source) ?? 0) + by;
    if (uses > 0) this.#uses.set(source, uses);
    else this.#uses.delete(source);
  }

  #replace(typeUrl: string, resources: readonly EncodedResource[], changed: ChangedNames[]): void {
    const names: string[] = [];
    const wanted = new Set(resources.map((r) => r.name));
    for (const name of [...(this.#sets.get(typeUrl)?.keys() ?? [])]) if (!wanted.has(name)) this.#put(typeUrl, name, undefined, names);
    for (const resource of resources) this.#put(typeUrl, resource.name, resource, names);
    if (names.length > 0) changed.push({ typeUrl, names });
  }

  #put(typeUrl: string, name: string, resource: EncodedResource | undefined, changed: string[]): void {
    const set = this.#sets.get(typeUrl);
    if (set === undefined || set.get(name)?.version === resource?.version) return;
    if (resource === undefined) set.delete(name);
    else set.set(name, resource);
    changed.push(name);
  }
}

/** Catalog objects are shared between views and peers, so each is encoded once. */
const services = new WeakMap<MergedService, EncodedResource>();
const endpoints = new WeakMap<ServiceExport['endpoints'][number], EncodedResource>();

function serviceOf(merged: MergedService | undefined, exported: ServiceExport): EncodedResource {
  const known = merged && services.get(merged);
  if (known !== undefined) return known;
  const resource = encodeService(exported);
  if (merged !== undefined) services.set(merged, resource);
  return resource;
}

function endpointOf(namespace: string, service: string, endpoint: ServiceExport['endpoints'][number]): EncodedResource {
  const known = endpoints.get(endpoint);
  // One endpoint may answer for several services.
  if (known?.name.startsWith(`${namespace}/${service}/`) === true) return known;
  const resource = encodeEndpoint(namespace, service, endpoint);
  endpoints.set(endpoint, resource);
  return resource;
}
