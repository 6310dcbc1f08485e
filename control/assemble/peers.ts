import { isDeepStrictEqual } from 'node:util';
import type { Invite, JoinedPeer, PeerStatus } from '../../core/admin/index.ts';
import type { Clock } from '../../core/clock.ts';
import type { ExportPolicyObject, MeshSpec, PeerObject } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { controlChannel } from '../../core/identity/index.ts';
import type { Log } from '../../core/log.ts';
import { clusterId } from '../../core/model/index.ts';
import type { Store } from '../../core/store.ts';
import { version } from '../../core/version.ts';
import { peering } from '../../core/xds/index.ts';
import { signIntermediate } from '../ca/index.ts';
import { type Catalog, exportService, type ServiceExport } from '../catalog/index.ts';
import { type LiveConfig, parseHostPort } from '../config/index.ts';
import type { GrpcFront } from '../grpc/index.ts';
import type { Objects } from '../objects/index.ts';
import {
  type ChangedServices,
  createJoining,
  createPeering,
  type Joining,
  type Peering,
  type PeerObjectsReport,
  type PeerReport,
  type RotationWords,
  SharedObjects,
  type SharedSet,
} from '../peering/index.ts';
import { peersOf } from './config-objects.ts';
import type { PeerOperations } from './control-facade.ts';
import type { ControlIdentity } from './control-identity.ts';
import type { JwtHome } from './jwt-svids.ts';
import { sharedParserFor } from './objects.ts';

export interface PeersOptions {
  readonly mesh: MeshSpec;
  readonly config: LiveConfig;
  readonly identity: ControlIdentity;
  readonly catalog: Catalog;
  /** What peers may be told, as it is now. */
  readonly exports: () => readonly ExportPolicyObject[];
  readonly objects: Objects;
  readonly store: Store;
  readonly front: GrpcFront;
  readonly rotation: { words(): RotationWords; heard(cluster: string, trust: peering.PeerTrust | undefined): void };
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** The set of peers, or what they may speak for, has changed. */
  readonly onPeers: () => void;
  readonly jwt: JwtHome;
}

/** The other clusters: what they are told, what they tell, and how they join. */
export class Peers implements PeerOperations {
  readonly #options: PeersOptions;
  readonly #peering: Peering;
  readonly #joining: Joining;
  readonly #shared: SharedObjects;
  #specs: ReadonlyMap<string, PeerObject['spec']>;
  #exported: readonly ExportPolicyObject[] = [];
  /** The catalog's first view is there: before it there is nothing to tell. */
  #exporting = false;

  constructor(options: PeersOptions) {
    const { mesh, identity, catalog, store, front, clock, random, log } = options;
    this.#options = options;
    this.#shared = new SharedObjects(mesh.cluster, () => clock.now());
    this.#specs = specsOf(peersOf(options.config.current));
    this.#peering = createPeering({
      cluster: clusterId(mesh.cluster),
      version,
      addresses: () => this.addresses(),
      addressesOf: (cluster) => this.#specs.get(cluster)?.addresses ?? [],
      knownSources: (cluster) => catalog.status().flatMap((s) => (s.cluster === cluster ? [s.source] : [])),
      store,
      sink: catalog,
      anchors: {
        setPeer: (cluster, anchors) => [...identity.authority.setPeer(cluster, anchors), ...options.jwt.setPeer(cluster, anchors?.jwtKeys)],
      },
      onTrust: (cluster, trust) => options.rotation.heard(cluster, trust),
      objects: options.objects.set,
      parse: sharedParserFor(mesh.trustDomain),
      security: (cluster) => this.#security(cluster),
      clock,
      random,
      log,
      namespacesOf: (cluster) => this.#specs.get(cluster)?.namespaces ?? ['*'],
    });
    front.addService(peering.PeeringService, { ...this.#peering.handlers(front.callerOf.bind(front)) });
    this.#joining = createJoining({
      authority: identity.authority,
      addresses: () => this.addresses(),
      store,
      signIntermediate: (csr, joiner) => this.#sign(csr, joiner),
      presented: () => presentedBy(identity),
      onJoined: (record) => {
        this.#peering.added(record);
        options.onPeers();
      },
      clock,
      random,
      log,
    });
    front.addService(peering.PeerJoinService, { ...this.#joining.handlers });
  }

  /** HOST:PORT where agents and peers dial this control plane: what the Mesh advertises, else where it listens. Empty: nobody can know. */
  addresses(): readonly string[] {
    const { grpc } = this.#options.mesh;
    if (grpc.advertise.length > 0) return grpc.advertise;
    const { host, port } = parseHostPort(grpc.listen) ?? { host: '0.0.0.0', port: 0 };
    return host === '0.0.0.0' || host === '::' || port === 0 ? [] : [grpc.listen];
  }

  /** Restores what the peers told before, and begins to dial. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#peering.start(signal);
  }

  get done(): Promise<void> {
    return this.#peering.done;
  }

  /** Hands on what may be exported, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { catalog, identity } = this.#options;
    const undo = [identity.authority, this.#options.jwt.ring].map((each) => each.subscribe(() => this.#export(new Set())));
    const joining = this.#joining.run(signal);
    try {
      for await (const change of catalog.changes(signal)) {
        this.#export(change.services);
        this.#exporting = true;
      }
    } finally {
      for (const end of undo) end();
      await joining;
    }
  }

  /** Peer objects have changed; so may have ExportPolicies. */
  configure(peers: readonly PeerObject[]): void {
    this.#specs = specsOf(peers);
    for (const { cluster } of this.report())
      this.#options.catalog.addPeer(clusterId(cluster), this.#specs.get(cluster)?.namespaces ?? ['*']);
    this.#peering.reconsiderObjects();
    this.#export(undefined);
  }

  /** What is to be told of the rotation of roots has changed. */
  trustChanged(): void {
    if (this.#exporting) this.#export(new Set());
  }

  /** Objects have changed: some may be shared, some may be ServiceExports. */
  objectsChanged(): void {
    if (this.#exporting) this.#export(isDeepStrictEqual(this.#options.exports(), this.#exported) ? new Set() : undefined);
  }

  /** Peer → namespaces whose identities it may present here. */
  namespaces(): ReadonlyMap<string, readonly string[]> {
    return new Map(this.report().map(({ cluster }) => [cluster, this.#specs.get(cluster)?.namespaces ?? ['*']]));
  }

  report(): readonly PeerReport[] {
    return this.#peering.report();
  }

  /** What this cluster has and shares; undefined: not known yet. */
  shared(): SharedSet | undefined {
    return this.#shared.current;
  }

  objects(): readonly PeerObjectsReport[] {
    return this.#peering.objects();
  }

  status(): readonly PeerStatus[] {
    return this.report().map((report) => ({ ...report, addresses: [...report.addresses] }));
  }

  async invite(ttlMs: number, dial?: string): Promise<Invite> {
    const { id, token, expiresAt } = await this.#joining.invite({ ttlMs, ...(dial === undefined ? {} : { dial }) });
    return { id, token, expiresAt: new Date(expiresAt).toISOString() };
  }

  async join(token: string): Promise<JoinedPeer> {
    const joined = await this.#joining.join(token);
    this.#options.onPeers();
    return joined;
  }

  async remove(cluster: string): Promise<void> {
    await this.#peering.remove(cluster);
    this.#options.onPeers();
  }

  #export(services: ChangedServices): void {
    const { catalog, identity, mesh, objects } = this.#options;
    const view = catalog.current();
    const policies = this.#options.exports();
    this.#exported = policies;
    const { roots, intermediates, trustDomain } = identity.authority.bundle();
    const own = intermediates.filter((i) => i.cluster === mesh.cluster).map((i) => i.certificate);
    this.#peering.updateExports(
      {
        view,
        exportOf: (key, peer): ServiceExport | undefined => exportService(key, peer, view, policies),
        trust: {
          trustDomain,
          roots,
          intermediates: own,
          denied: identity.authority.denied,
          rotation: this.#options.rotation.words(),
          jwtKeys: this.#options.jwt.ring.published(),
        },
        sources: catalog.status(),
        objects: this.#shared.update(objects.set.sourcesOf(mesh.cluster)),
      },
      services,
    );
  }

  /** Undefined where the root is not online: the joiner waits for `isthmus ca sign`. */
  async #sign(csr: Uint8Array, joiner: string): Promise<Uint8Array | undefined> {
    const { mesh, clock } = this.#options;
    const root = this.#options.identity.authority.signer;
    if (root === undefined) return undefined;
    return signIntermediate(root, csr, joiner, clock.now(), mesh.identity.intermediateTtlMs).der;
  }

  #security(cluster: string) {
    const { identity, clock } = this.#options;
    if (identity.svid === undefined) throw new MeshError('IDENTITY_INVALID', 'this cluster has no identity yet', { retryable: true });
    return controlChannel(identity.svid, { cluster, now: () => clock.now() });
  }
}

/** Leaf certificates that the listener may be showing: its SVID, or what stood in for it until it joined. */
function presentedBy(identity: ControlIdentity): readonly Uint8Array[] {
  const leaf = identity.svid?.current().chainDer[0];
  return leaf === undefined ? [identity.bootstrap.certificate] : [leaf, identity.bootstrap.certificate];
}

function specsOf(peers: readonly PeerObject[]): ReadonlyMap<string, PeerObject['spec']> {
  return new Map(peers.map((p) => [p.spec.cluster, p.spec]));
}
