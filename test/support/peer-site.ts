import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parserFor } from '../../control/assemble/objects.ts';
import type {
  CatalogEndpoint,
  CatalogView,
  GatewayRecord,
  MergedService,
  ServiceExport,
  SourceReport,
} from '../../control/catalog/index.ts';
import { GrpcFront } from '../../control/grpc/index.ts';
import { ObjectSet } from '../../control/objects/object-set.ts';
import { createPeering, type ExportInputs, type Peering, type PeeringTiming, type PeerSink, putPeer } from '../../control/peering/index.ts';
import { openEmbeddedStore } from '../../control/store/index.ts';
import type { Clock } from '../../core/clock.ts';
import { controlChannel, type SvidSource } from '../../core/identity/index.ts';
import { silentLog } from '../../core/log.ts';
import { clusterId, endpointKey, networkId, type ServiceKey, serviceKey, sourceId } from '../../core/model/index.ts';
import type { RegistryEvent } from '../../core/registry/index.ts';
import type { Store } from '../../core/store.ts';
import { systemClock } from '../../core/system-clock.ts';
import { peering as proto } from '../../core/xds/index.ts';
import type { MeshPki } from './mesh-pki.ts';

/** `SOURCE/INSTANCE` → address of one service's endpoints. */
export type Services = Readonly<Record<string, readonly { source: string; instance: string; address: string }[]>>;

/** Holds a sink's callers to the registry contract, and remembers what they said as the catalog would. */
export class RecordingSink implements PeerSink {
  readonly peers = new Map<string, Map<string, { state: 'unknown' | 'live' | 'stale'; services: Map<string, string[]> }>>();
  readonly gateways = new Map<string, readonly GatewayRecord[]>();
  readonly events: string[] = [];

  addPeer(cluster: string): void {
    if (!this.peers.has(cluster)) this.peers.set(cluster, new Map());
  }

  async removePeer(cluster: string): Promise<void> {
    this.peers.delete(cluster);
    this.gateways.delete(cluster);
  }

  applyPeer(cluster: string, source: string, event: RegistryEvent): void {
    this.events.push(`${source} ${event.kind}`);
    const sources = this.peers.get(cluster);
    if (sources === undefined) throw new Error(`${cluster} was not added`);
    const shard = sources.get(source) ?? { state: 'unknown' as const, services: new Map<string, string[]>() };
    sources.set(source, shard);
    if (event.kind === 'snapshot') {
      shard.services.clear();
      for (const s of event.services) shard.services.set(`${s.namespace}/${s.name}`, s.endpoints.map((e) => e.address).sort());
      shard.state = 'live';
      return;
    }
    if (event.kind === 'stale') {
      if (shard.state === 'live') shard.state = 'stale';
      return;
    }
    if (shard.state !== 'live') throw new Error(`${event.kind} for ${cluster}/${source}, which is ${shard.state}`);
    if (event.kind === 'delete') shard.services.delete(event.id);
    else shard.services.set(`${event.service.namespace}/${event.service.name}`, event.service.endpoints.map((e) => e.address).sort());
  }

  confirmPeer(cluster: string, source: string): void {
    const shard = this.peers.get(cluster)?.get(source);
    if (shard?.state === 'stale') shard.state = 'live';
  }

  peerLost(cluster: string): void {
    for (const shard of this.peers.get(cluster)?.values() ?? []) if (shard.state === 'live') shard.state = 'stale';
  }

  dropPeerSource(cluster: string, source: string): void {
    this.peers.get(cluster)?.delete(source);
  }

  setGateways(cluster: string, gateways: readonly GatewayRecord[]): void {
    this.gateways.set(cluster, gateways);
  }

  /** Service → addresses over all sources of a peer. */
  seen(cluster: string): Record<string, string[]> {
    const all: Record<string, string[]> = {};
    for (const shard of this.peers.get(cluster)?.values() ?? []) {
      for (const [name, addresses] of shard.services) all[name] = [...(all[name] ?? []), ...addresses].sort();
    }
    return all;
  }

  states(cluster: string): Record<string, string> {
    const sorted = [...(this.peers.get(cluster) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(sorted.map(([source, shard]) => [source, shard.state]));
  }
}

export function exportInputs(
  cluster: string,
  services: Services,
  extra: Partial<ExportInputs> & { gateways?: readonly GatewayRecord[]; stale?: readonly string[] } = {},
): ExportInputs {
  const local = new Map<ServiceKey, MergedService>();
  const sources = new Map<string, SourceReport>();
  for (const [path, list] of Object.entries(services)) {
    const [namespace = '', name = ''] = path.split('/');
    const key = serviceKey(namespace, name);
    const endpoints = list.map(
      ({ source, instance, address }): CatalogEndpoint => ({
        key: endpointKey(clusterId(cluster), sourceId(source), instance),
        cluster: clusterId(cluster),
        source: sourceId(source),
        state: 'live',
        provenance: [],
        instance,
        network: networkId(`${cluster}-net`),
        address,
        ports: { http: 8080 },
        health: 'healthy',
        weight: 1,
        locality: { region: 'r', zone: 'z', subzone: '' },
        labels: {},
        identityNamespace: namespace,
        serviceAccount: name,
        tlsMode: 'mesh',
        runtime: 'file',
        attested: false,
      }),
    );
    const ports = [{ name: 'http', port: 80, protocol: 'http' as const }];
    const from = [...new Set(list.map((e) => e.source))];
    for (const source of from) {
      const state = extra.stale?.includes(source) === true ? 'stale' : 'live';
      const about = {
        cluster: clusterId(cluster),
        source: sourceId(source),
        state,
        restored: false,
        epoch: 1,
        revision: 1,
        cursor: '',
      } as const;
      sources.set(source, { ...about, since: 0, services: 1, endpoints: 1, ageMs: 0, stateMs: 0 });
    }
    const contributions = from.map((source) => ({
      cluster: clusterId(cluster),
      source: sourceId(source),
      state: 'live' as const,
      ports,
      labels: {},
      createdAt: 1,
    }));
    local.set(key, { key, namespace, name, ports, endpoints, labels: {}, createdAt: 1, contributions, networks: [], conditions: [] });
  }
  const gateways = new Map([[networkId(`${cluster}-net`), extra.gateways ?? []]]);
  const view = {
    revision: 1,
    cluster: clusterId(cluster),
    services: local,
    local,
    withheld: new Map(),
    gateways,
    sources: [],
  } as CatalogView;
  const exportOf = (key: ServiceKey): ServiceExport | undefined => {
    const service = local.get(key);
    return service && { ...service, policies: ['all'] };
  };
  return { view, exportOf, trust: { trustDomain: 'mesh.test', roots: [], intermediates: [] }, sources: [...sources.values()], ...extra };
}

export interface PeerSiteOptions {
  readonly pki: MeshPki;
  readonly cluster: string;
  readonly clock?: Clock;
  readonly timing?: Partial<PeeringTiming>;
  readonly addresses?: readonly string[];
  readonly svids?: SvidSource;
}

/** One cluster's peering with its listener and its store, over real TLS. */
export class PeerSite {
  readonly cluster: string;
  readonly sink = new RecordingSink();
  readonly objects = new ObjectSet();
  readonly anchors = new Map<string, number>();
  readonly front: GrpcFront;
  readonly peering: Peering;
  readonly store: Store;
  readonly dir: string;
  readonly #stop = new AbortController();
  readonly #options: PeerSiteOptions;

  private constructor(options: PeerSiteOptions, store: Store, dir: string) {
    this.#options = options;
    this.cluster = options.cluster;
    this.store = store;
    this.dir = dir;
    const { pki, cluster } = options;
    const svids = options.svids ?? pki.source(cluster, 'isthmus-system', 'control');
    this.front = new GrpcFront({
      host: '127.0.0.1',
      port: 0,
      identity: { svid: svids.current(), bundle: pki.bundle },
      clock: systemClock,
      log: silentLog,
    });
    this.peering = createPeering({
      cluster: clusterId(cluster),
      version: 'test',
      addresses: () => options.addresses ?? [],
      store,
      sink: this.sink,
      anchors: {
        setPeer: (peer, anchors) => {
          this.anchors.set(peer, anchors?.intermediates.length ?? -1);
          return [];
        },
      },
      objects: this.objects,
      parse: parserFor('mesh.test'),
      security: (peer) => controlChannel(svids, { cluster: peer, now: Date.now }),
      clock: options.clock ?? systemClock,
      random: Math.random,
      log: silentLog,
      timing: { backoffBaseMs: 20, backoffMaxMs: 100, lostAfterMs: 50, ...options.timing },
    });
    this.front.addService(
      proto.PeeringService,
      this.peering.handlers((call) => this.front.callerOf(call)),
    );
  }

  /** `dir`: of a site that was stopped, whose state it takes over. */
  static async start(options: PeerSiteOptions, peers: Readonly<Record<string, readonly string[]>> = {}, dir?: string): Promise<PeerSite> {
    const home = dir ?? (await mkdtemp(join(tmpdir(), 'isthmus-peer-')));
    const store = await openEmbeddedStore({ dir: home, clock: systemClock });
    for (const [cluster, addresses] of Object.entries(peers)) await putPeer(store, { cluster, addresses, joinedAt: 0 });
    const site = new PeerSite(options, store, home);
    await site.front.start(site.#stop.signal);
    await site.peering.start(site.#stop.signal);
    return site;
  }

  get address(): string {
    return `127.0.0.1:${this.front.port}`;
  }

  export(services: Services, extra: Parameters<typeof exportInputs>[2] = {}): void {
    const intermediates = [this.#options.pki.cluster(this.cluster).certificate.der];
    const trust = { trustDomain: this.#options.pki.trustDomain, roots: [], intermediates };
    this.peering.updateExports(exportInputs(this.cluster, services, { trust, ...extra }), undefined);
  }

  async stop(keep = false): Promise<void> {
    this.#stop.abort();
    await this.peering.done;
    await this.front.dispose();
    await this.store.close();
    if (!keep) await rm(this.dir, { recursive: true, force: true });
  }
}
