import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { type ClusterId, type EndpointRecord, type ServiceKey, type ServiceRecord, sourceId } from '../../core/model/index.ts';
import { formatViolation } from '../../core/validate.ts';
import { type ResourceRejection, peeringTypeUrls as urls, type XdsUpdate } from '../../core/xds/index.ts';
import type { PeerAnchorsSink, PeeringOptions, PeerSink } from './contract.ts';
import { decodePeerResource, type ImportedService, type PeerResource } from './decode-peering.ts';
import { gatewayRecordOf } from './peer-gateway.ts';
import type { PeerObjects } from './peer-objects.ts';

type EndpointEntry = { readonly service: string; readonly source: string; readonly value: EndpointRecord };
/** Service → sources whose record of it may have changed. */
type Touched = Map<string, Set<string>>;
type SourceEntry = { readonly state: string; readonly ageMs: number; readonly heardAt: number };

/** Of one peer: a bound on what a broken one can make us hold. */
const mostEndpoints = 500_000;
const mostServices = 50_000;

export interface PeerImportsOptions {
  readonly cluster: ClusterId;
  readonly trustDomain: () => string | undefined;
  readonly sink: PeerSink;
  readonly anchors: PeerAnchorsSink;
  readonly onTrust?: PeeringOptions['onTrust'];
  readonly clock: Clock;
  /** Sources of the peer that the sink holds, from earlier processes too. */
  readonly knownSources: (cluster: ClusterId) => readonly string[];
  readonly objects: PeerObjects;
}

/**
 * What one peer has told us, turned into registry events per remote source. Nothing is passed on from a new stream until its
 * SyncMark says that all of it is there; then each source gets a snapshot, and what was not mentioned is gone. From there on each
 * update passes at once. Ages are counted on our clock.
 */
export class PeerImports {
  readonly #options: PeerImportsOptions;
  readonly #services = new Map<string, ImportedService>();
  /** By resource name, and the same by service. */
  readonly #endpoints = new Map<string, EndpointEntry>();
  readonly #byService = new Map<string, Set<string>>();
  readonly #sources = new Map<string, SourceEntry>();
  readonly #gateways = new Map<string, Extract<PeerResource, { kind: 'gateway' }>['value']>();
  /** What each source was last said to hold, so that a service which moves away from one is deleted there. */
  readonly #published = new Map<string, Set<string>>();
  readonly #toldStale = new Set<string>();
  #synced = false;
  #markRevision: number | undefined;
  #currentAt: number | undefined;

  constructor(options: PeerImportsOptions) {
    this.#options = options;
  }

  get synced(): boolean {
    return this.#synced;
  }

  /** ms on our clock since all of the peer's data was here. */
  get dataAgeMs(): number | undefined {
    return this.#currentAt === undefined ? undefined : this.#options.clock.monotonic() - this.#currentAt;
  }

  /** A new stream. `fresh`: the peer's exports have a new epoch, nothing from before counts. */
  opened(fresh: boolean): void {
    this.#synced = false;
    this.#markRevision = undefined;
    this.#options.objects.opened(fresh);
    if (!fresh) return;
    for (const map of [this.#services, this.#endpoints, this.#byService, this.#sources, this.#gateways]) map.clear();
  }

  lost(reason: string): void {
    this.#synced = false;
    this.#options.objects.lost();
    this.#options.sink.peerLost(this.#options.cluster, reason);
  }

  /** Takes one update; what it returns was not taken. */
  update(update: XdsUpdate): readonly ResourceRejection[] {
    const rejections: ResourceRejection[] = [];
    const touched: Touched = new Map();
    let gateways = false;
    let mark: { readonly revision: number } | undefined;
    for (const name of update.removed) {
      gateways ||= update.typeUrl === urls.gateway;
      this.#options.objects.remove(update.typeUrl, name);
      this.#remove(update.typeUrl, name, touched);
    }
    for (const { name, any } of update.changed) {
      const decoded = decodePeerResource(update.typeUrl, name, any.value);
      const faults = decoded.ok ? this.#take(name, decoded.value, any.value, touched) : decoded.violations.map(formatViolation);
      if (faults.length > 0) rejections.push({ name, reason: faults.join('; ') });
      else if (decoded.ok && decoded.value.kind === 'gateway') gateways = true;
      else if (decoded.ok && decoded.value.kind === 'mark' && decoded.value.value.complete) mark = decoded.value.value;
    }
    if (this.#synced) this.#options.objects.settle();
    if (mark !== undefined) this.#marked(mark.revision);
    else if (this.#synced) {
      this.#emit(touched);
      if (gateways) this.#emitGateways();
      if (update.typeUrl === urls.sourceState) this.#emitStates();
    }
    return rejections;
  }

  /** The peer is alive, its exports are at `revision`, and it is `now` there (Unix ms; 0: it does not say). */
  heartbeat(revision: number, now: number): void {
    this.#options.objects.heard(now);
    if (!this.#synced || this.#markRevision === undefined || this.#markRevision < revision) return;
    this.#currentAt = this.#options.clock.monotonic();
    this.#options.objects.confirmed();
    this.#confirm();
  }

  #take(name: string, resource: PeerResource, bytes: Uint8Array, touched: Touched): readonly string[] {
    switch (resource.kind) {
      case 'service':
        if (this.#services.size >= mostServices && !this.#services.has(name)) return [`more than ${mostServices} services of one peer`];
        this.#services.set(name, resource.value);
        this.#touch(touched, name, this.#sources.keys());
        return [];
      case 'endpoint': {
        if (this.#endpoints.size >= mostEndpoints && !this.#endpoints.has(name))
          return [`more than ${mostEndpoints} endpoints of one peer`];
        this.#remove(urls.endpoint, name, touched);
        this.#endpoints.set(name, resource);
        const names = this.#byService.get(resource.service) ?? new Set();
        this.#byService.set(resource.service, names.add(name));
        this.#touch(touched, resource.service, [resource.source]);
        return [];
      }
      case 'gateway':
        this.#gateways.set(name, resource.value);
        return [];
      case 'source':
        // After stale comes a snapshot: what changed meanwhile was not passed on as changes.
        if (resource.value.state === 'live' && this.#sources.get(name)?.state !== 'live') this.#published.delete(name);
        this.#sources.set(name, { ...resource.value, heardAt: this.#options.clock.monotonic() });
        return [];
      case 'trust':
        return this.#takeTrust(resource.value);
      case 'object':
        return this.#options.objects.take(name, resource.value, bytes);
      case 'tentative':
        return this.#options.objects.takeTentative(name, resource.value);
      case 'objects':
        this.#options.objects.words.told(resource.value);
        return [];
      case 'held':
        return this.#options.objects.words.names(name, resource.value);
      case 'mark':
        return [];
    }
  }

  #takeTrust(trust: Extract<PeerResource, { kind: 'trust' }>['value']): readonly string[] {
    const own = this.#options.trustDomain();
    // A cluster with a root of its own federates; it never becomes part of this trust domain.
    if (own !== undefined && trust.trustDomain !== own) return [`is of trust domain ${trust.trustDomain}, not ${own}`];
    this.#options.onTrust?.(this.#options.cluster, trust);
    const { intermediates, deniedSerials: denied, jwtKeys } = trust;
    return this.#options.anchors.setPeer(this.#options.cluster, { intermediates, denied, jwtKeys });
  }

  #remove(typeUrl: string, name: string, touched: Touched): void {
    if (typeUrl === urls.service && this.#services.delete(name)) this.#touch(touched, name, this.#sources.keys());
    if (typeUrl === urls.gateway) this.#gateways.delete(name);
    if (typeUrl === urls.sourceState) this.#sources.delete(name);
    const endpoint = typeUrl === urls.endpoint ? this.#endpoints.get(name) : undefined;
    if (endpoint === undefined) return;
    this.#endpoints.delete(name);
    const names = this.#byService.get(endpoint.service);
    names?.delete(name);
    if (names?.size === 0) this.#byService.delete(endpoint.service);
    this.#touch(touched, endpoint.service, [endpoint.source]);
  }

  #touch(touched: Touched, key: string, sources: Iterable<string>): void {
    const set = touched.get(key) ?? new Set();
    touched.set(key, set);
    for (const source of sources) set.add(source);
    // It may get, or lose, a service that has no endpoint.
    const first = this.#firstSource();
    if (first !== undefined) set.add(first);
  }

  #firstSource(): string | undefined {
    return [...this.#sources.keys()].sort()[0];
  }

  #marked(revision: number): void {
    this.#markRevision = revision;
    if (this.#synced) return;
    this.#synced = true;
    this.#options.objects.synced();
    this.#currentAt = this.#options.clock.monotonic();
    for (const source of this.#sources.keys()) this.#emitSnapshot(source);
    // Also those that only the catalog remembers, from before a restart.
    const { cluster, sink, knownSources } = this.#options;
    for (const source of knownSources(cluster)) {
      if (!this.#sources.has(source) && !this.#published.has(source)) sink.dropPeerSource(cluster, sourceId(source));
    }
    this.#emitGateways();
    this.#emitStates();
  }

  #emit(touched: Touched): void {
    for (const [source, { state }] of this.#sources) {
      const published = this.#published.get(source);
      const keys = [...touched].flatMap(([key, sources]) => (sources.has(source) ? [key] : []));
      if (published === undefined || keys.length === 0) continue;
      if (state === 'live') for (const key of keys) this.#emitService(source, key, published);
      // After `stale` only a snapshot may come.
      else if (keys.some((key) => published.has(key) || this.#recordOf(key, source) !== undefined)) this.#emitSnapshot(source);
    }
  }

  #emitService(source: string, key: string, published: Set<string>): void {
    const { sink, cluster } = this.#options;
    const service = this.#recordOf(key, source);
    const cursor = String(this.#markRevision ?? 0);
    if (service !== undefined) {
      published.add(key);
      sink.applyPeer(cluster, sourceId(source), { kind: 'upsert', service, cursor });
    } else if (published.delete(key)) {
      sink.applyPeer(cluster, sourceId(source), { kind: 'delete', id: key as ServiceKey, cursor });
    }
  }

  /** A service as one remote source knows it. One without any endpoint belongs to the first source, so that its name stays known. */
  #recordOf(key: string, source: string): ServiceRecord | undefined {
    const service = this.#services.get(key);
    if (service === undefined) return undefined;
    const all = [...(this.#byService.get(key) ?? [])].flatMap((name) => this.#endpoints.get(name) ?? []);
    const endpoints = all.filter((e) => e.source === source).map((e) => e.value);
    if (endpoints.length === 0 && (all.length > 0 || source !== this.#firstSource())) return undefined;
    return { ...service, endpoints };
  }

  #emitGateways(): void {
    const { sink, cluster } = this.#options;
    const gateways = [...this.#gateways.values()];
    sink.setGateways(
      cluster,
      gateways.map((gateway) => gatewayRecordOf(gateway, cluster)),
    );
  }

  /** Sources that came, turned stale, recovered or went. */
  #emitStates(): void {
    const { sink, cluster } = this.#options;
    let others = false;
    for (const source of [...this.#published.keys()]) {
      if (this.#sources.has(source)) continue;
      this.#published.delete(source);
      sink.dropPeerSource(cluster, sourceId(source));
      others = true;
    }
    for (const source of this.#sources.keys()) {
      if (this.#published.has(source)) continue;
      this.#emitSnapshot(source);
      others = true;
    }
    // Services without endpoints belong to the first source, which may be another one now.
    if (others) {
      const all = new Set(this.#sources.keys());
      this.#emit(new Map([...this.#services.keys()].filter((key) => !this.#byService.has(key)).map((key) => [key, all])));
    }
    for (const source of this.#sources.keys()) this.#emitStale(source);
    this.#confirm();
  }

  #emitSnapshot(source: string): void {
    const services = [...this.#services.keys()].flatMap((key) => this.#recordOf(key, source) ?? []);
    this.#published.set(source, new Set(services.map((s) => `${s.namespace}/${s.name}`)));
    this.#toldStale.delete(source);
    const { sink, cluster } = this.#options;
    sink.applyPeer(cluster, sourceId(source), { kind: 'snapshot', services, cursor: String(this.#markRevision ?? 0) });
    this.#emitStale(source);
  }

  #emitStale(source: string): void {
    const { sink, cluster } = this.#options;
    const entry = this.#sources.get(source);
    if (entry === undefined || entry.state === 'live' || this.#toldStale.has(source)) return;
    this.#toldStale.add(source);
    const { state, ageMs, heardAt } = entry;
    sink.confirmPeer(cluster, sourceId(source), ageMs + this.#options.clock.monotonic() - heardAt);
    const error = new MeshError('REGISTRY_UNREACHABLE', `${cluster} says that its source ${source} is ${state}`, { retryable: true });
    sink.applyPeer(cluster, sourceId(source), { kind: 'stale', error });
  }

  #confirm(): void {
    const { sink, cluster } = this.#options;
    for (const [source, { state }] of this.#sources) if (state === 'live') sink.confirmPeer(cluster, sourceId(source), 0);
  }
}
