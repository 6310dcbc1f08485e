import type { ClusterId, NetworkId, ServiceKey, SourceId } from '../../core/model/index.ts';
import type { RegistryEvent, RegistrySource } from '../../core/registry/index.ts';
import type { BuiltView } from './build-view.ts';
import { emptyView, nextView } from './build-view.ts';
import { ChangeFeed } from './change-feed.ts';
import type { Catalog, CatalogOptions, SourceOptions, SourceReport } from './contract.ts';
import { Persistence } from './persistence.ts';
import type { CatalogInput, CatalogState } from './reducer.ts';
import { initialState, reduce } from './reducer.ts';
import { watchSource } from './source-watch.ts';
import type { CatalogChange, CatalogView, GatewayRecord, SourceStatus } from './view.ts';

export function createCatalog(options: CatalogOptions): Catalog {
  return new RunningCatalog(options);
}

/** The thin part: feeds the reducer, coalesces what it says, and hands on views. */
class RunningCatalog implements Catalog {
  readonly #options: CatalogOptions;
  readonly #persistence: Persistence;
  readonly #feed = new ChangeFeed();
  readonly #watches = new Map<SourceId, { stop: AbortController; ended: Promise<void> }>();
  readonly #stop = new AbortController();
  #state: CatalogState;
  #view: BuiltView;
  #names = new Set<ServiceKey>();
  #networks = new Set<NetworkId>();
  #dirty = false;
  #ticking: Promise<void> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  constructor(options: CatalogOptions) {
    this.#options = options;
    this.#persistence = new Persistence(options.store, options.clock, options.onProblem ?? (() => undefined));
    this.#state = initialState(options.cluster);
    this.#view = emptyView(options.cluster);
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#persistence.load();
    this.#restoreGateways(this.#options.cluster);
    const stop = () => void this.dispose();
    signal.addEventListener('abort', stop, { once: true });
    this.#stop.signal.addEventListener('abort', () => signal.removeEventListener('abort', stop), { once: true });
    if (signal.aborted) return this.dispose();
    this.#ticking = this.#tick();
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#end();
    return this.#disposed;
  }

  current(): CatalogView {
    this.#refresh();
    return this.#view;
  }

  changes(signal: AbortSignal): AsyncIterable<CatalogChange> {
    return this.#feed.read(() => this.current(), signal);
  }

  addSource(source: RegistrySource, { claims, runtime }: SourceOptions): void {
    const { cluster, clock } = this.#options;
    const scope = { claims, identityNamespaces: ['*'], ...(runtime === undefined ? {} : { runtime }) };
    this.#apply({ kind: 'add-source', source: source.id, scope, at: clock.monotonic() });
    for (const input of this.#persistence.takeShards(cluster, source.id)) this.#apply(input);
    const before = this.#watches.get(source.id);
    before?.stop.abort();
    const stop = new AbortController();
    const apply = async (event: RegistryEvent) => {
      if (stop.signal.aborted) return;
      this.#apply({ kind: 'event', cluster, source: source.id, event, at: clock.monotonic() });
      await this.#persistence.room();
    };
    // The one before has been told to stop; it applies nothing more, and is waited for at the end.
    const ended = Promise.all([before?.ended, watchSource(source, apply, clock, stop.signal)]).then(() => undefined);
    this.#watches.set(source.id, { stop, ended });
  }

  async removeSource(id: SourceId): Promise<void> {
    const watch = this.#watches.get(id);
    this.#watches.delete(id);
    watch?.stop.abort();
    this.#apply({ kind: 'drop-source', cluster: this.#options.cluster, source: id });
    await watch?.ended;
  }

  addPeer(cluster: ClusterId, namespaces: readonly string[]): void {
    const claims = namespaces.map((n) => (n === '*' ? '*' : `${n}/*`));
    this.#apply({ kind: 'add-peer', cluster, scope: { claims, identityNamespaces: namespaces } });
    for (const input of this.#persistence.takeShards(cluster)) this.#apply(input);
    this.#restoreGateways(cluster);
  }

  removePeer(cluster: ClusterId): Promise<void> {
    this.#apply({ kind: 'drop-peer', cluster });
    return Promise.resolve();
  }

  applyPeer(cluster: ClusterId, source: SourceId, event: RegistryEvent): void {
    if (cluster === this.#options.cluster) return;
    this.#apply({ kind: 'event', cluster, source, event, at: this.#options.clock.monotonic() });
  }

  confirmPeer(cluster: ClusterId, source: SourceId, ageMs: number): void {
    this.#apply({ kind: 'confirm', cluster, source, ageMs, at: this.#options.clock.monotonic() });
  }

  peerLost(cluster: ClusterId, reason: string): void {
    this.#apply({ kind: 'lost', cluster, reason, at: this.#options.clock.monotonic() });
  }

  dropPeerSource(cluster: ClusterId, source: SourceId): void {
    this.#apply({ kind: 'drop-source', cluster, source });
  }

  setGateways(cluster: ClusterId, gateways: readonly GatewayRecord[]): void {
    this.#apply({ kind: 'gateways', cluster, gateways });
  }

  forgetUnconfigured(): Promise<void> {
    return this.#persistence.forget(this.#state);
  }

  flush(): Promise<void> {
    return this.#persistence.flush();
  }

  status(): readonly SourceReport[] {
    const now = this.#options.clock.monotonic();
    return this.current().sources.map((s) => ({ ...s, ...this.#age(s, now), stateMs: now - s.since }));
  }

  /** A live local watch is current by definition: its adapter says when it no longer is. */
  #age(source: SourceStatus, now: number): { readonly ageMs?: number } {
    if (source.dataAt === undefined || source.state === 'unknown') return {};
    return { ageMs: source.state === 'live' && source.cluster === this.#options.cluster ? 0 : now - source.dataAt };
  }

  #restoreGateways(cluster: ClusterId): void {
    const gateways = this.#persistence.takeGateways(cluster);
    if (gateways !== undefined && !this.#state.gateways.has(cluster)) this.setGateways(cluster, gateways);
  }

  #apply(input: CatalogInput): void {
    if (this.#stop.signal.aborted) return;
    const before = this.#state;
    const { state, services, gateways, writes } = reduce(before, input);
    if (state === before) return;
    this.#state = state;
    for (const key of services) this.#names.add(key);
    for (const network of gateways) this.#networks.add(network);
    this.#persistence.save(before, state, writes);
    if (this.#dirty) return;
    this.#dirty = true;
    queueMicrotask(() => this.#refresh());
  }

  #refresh(): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    const before = this.#view;
    const gateways = this.#networks;
    const { view, services } = nextView(before, this.#state, this.#names, gateways);
    this.#names = new Set();
    this.#networks = new Set();
    this.#view = view;
    const sources = statesOf(before.sources) !== statesOf(view.sources);
    if (services.size > 0 || gateways.size > 0 || sources) this.#feed.publish({ view, services, gateways, sources });
  }

  async #tick(): Promise<void> {
    const { clock, expireAfterMs } = this.#options;
    const every = expireAfterMs === 0 ? 10_000 : Math.min(10_000, Math.max(50, expireAfterMs / 10));
    while (!this.#stop.signal.aborted) {
      await clock.sleep(every, this.#stop.signal).catch(() => undefined);
      if (this.#stop.signal.aborted) return;
      this.#apply({ kind: 'tick', at: clock.monotonic(), expireAfterMs });
      this.#persistence.confirm(this.#state);
    }
  }

  async #end(): Promise<void> {
    this.#stop.abort();
    for (const { stop } of this.#watches.values()) stop.abort();
    await Promise.all([this.#ticking, ...[...this.#watches.values()].map((w) => w.ended)]);
    await this.#persistence.stop();
  }
}

function statesOf(sources: readonly SourceStatus[]): string {
  return sources.map((s) => `${s.cluster}/${s.source}:${s.state}:${s.error ?? ''}`).join('\n');
}
