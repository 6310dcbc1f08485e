import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { ClusterId, ServiceKey, SourceId } from '../../core/model/index.ts';
import type { JwtKey } from '../../core/pki/index.ts';
import type { RegistryEvent } from '../../core/registry/index.ts';
import type { Store } from '../../core/store.ts';
import type { ChannelSecurity, peering } from '../../core/xds/index.ts';
import type { CatalogView, GatewayRecord, ServiceExport, SourceReport } from '../catalog/index.ts';
import type { ObjectOwner, ObjectSource, ParseDocument } from '../objects/index.ts';
import type { HeldSet, SharedSet } from './shared-objects.ts';

/** Where a peer's records go; the catalog is one. Calls come in the order of the stream and return at once. */
export interface PeerSink {
  addPeer(cluster: ClusterId, namespaces: readonly string[]): void;
  removePeer(cluster: ClusterId): Promise<void>;
  applyPeer(cluster: ClusterId, source: SourceId, event: RegistryEvent): void;
  confirmPeer(cluster: ClusterId, source: SourceId, ageMs: number): void;
  peerLost(cluster: ClusterId, reason: string): void;
  dropPeerSource(cluster: ClusterId, source: SourceId): void;
  setGateways(cluster: ClusterId, gateways: readonly GatewayRecord[]): void;
}

/** Where a peer's shared objects go; control/objects' ObjectSet is one. Calls return at once. */
export interface PeerObjectsSink {
  setSource(source: ObjectSource): void;
  removeSource(owner: ObjectOwner): void;
}

/** What a peer says of the certificates it issues with; control/ca checks them. Undefined: the peer is gone. */
export interface PeerAnchorsSink {
  /** Why entries were refused; empty: all taken. */
  setPeer(
    cluster: string,
    anchors:
      | {
          readonly intermediates: readonly Uint8Array[];
          readonly denied: readonly string[];
          readonly jwtKeys: readonly peering.PeerJwtKey[];
        }
      | undefined,
  ): readonly string[];
}

/** Everything that may be exported, at one moment. */
export interface ExportInputs {
  readonly view: CatalogView;
  /** What one peer may see of a local service; undefined: nothing. control/catalog's exportService with the view and the policies. */
  readonly exportOf: (key: ServiceKey, peer: ClusterId) => ServiceExport | undefined;
  /** Of this cluster: those in use. */
  readonly trust: {
    readonly trustDomain: string;
    readonly roots: readonly Uint8Array[];
    readonly intermediates: readonly Uint8Array[];
    /** Absent: it takes part in no rotation of roots. */
    readonly rotation?: RotationWords;
    /** Serials of SVIDs that this cluster has taken back. Default: none. */
    readonly denied?: readonly string[];
    /** What verifies JWT-SVIDs that this cluster signs. Default: none. */
    readonly jwtKeys?: readonly Pick<JwtKey, 'keyId' | 'publicKey' | 'notAfterMs'>[];
  };
  readonly sources: readonly SourceReport[];
  /** What this cluster owns and shares. Absent: not known yet, and peers keep what they have. */
  readonly objects?: SharedSet;
}

/** What one cluster tells its peers while roots are rotated. Plain data; control/ca means something by it. */
export interface RotationWords {
  /** What roots have said of themselves, oldest first. */
  readonly statements: readonly peering.TrustStatement[];
  /** PKCS#10 for its next signing certificate, where it needs one. */
  readonly intermediateRequest?: Uint8Array;
  /** What the root that is online here signed for that peer's request; by cluster. */
  readonly signed: ReadonlyMap<string, Uint8Array>;
  readonly report: peering.TrustReport;
}

/** Which services differ since the last inputs; undefined: any may, as after a change of ExportPolicies. */
export type ChangedServices = ReadonlySet<ServiceKey> | undefined;

/** Who is at the other end, as its certificate proves. */
export interface PeerCaller {
  readonly spiffeId: { readonly trustDomain: string; readonly namespace: string; readonly serviceAccount: string };
  readonly cluster: string;
}

export interface PeeringTiming {
  /** Default 2 s. */
  readonly heartbeatMs: number;
  /** Silence after which a peer counts as lost. Default 6 s, three heartbeats. */
  readonly silenceMs: number;
  /** Without any stream after which its sources turn stale: one that is replaced at once is no loss. Default 1.5 s. */
  readonly lostAfterMs: number;
  /** Between attempts to dial, full jitter. Defaults 250 ms and 10 s. */
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** From dialling to the peer's hello. Default 8 s. */
  readonly helloMs: number;
}

export interface PeeringOptions {
  readonly cluster: ClusterId;
  readonly version: string;
  /** Where peers can dial this control plane, HOST:PORT; may be empty. Asked for at each hello. */
  readonly addresses: () => readonly string[];
  /** What the configuration (PeerSpec) says of a peer's addresses: tried first, besides those that joining and the peer itself said. */
  readonly addressesOf?: (cluster: string) => readonly string[];
  readonly store: Store;
  readonly sink: PeerSink;
  readonly anchors: PeerAnchorsSink;
  readonly objects: PeerObjectsSink;
  /** Reads a peer's document; what it refuses is reported and blocks nothing else. */
  readonly parse: ParseDocument;
  /** mTLS to a control plane of that cluster; asked for at each attempt. MeshError IDENTITY_INVALID (retryable) without an SVID. */
  readonly security: (cluster: string) => ChannelSecurity;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly timing?: Partial<PeeringTiming>;
  /** Sources of the peer that the sink holds, from earlier processes too: Catalog.status(). What a complete sync does not name is dropped. */
  readonly knownSources?: (cluster: ClusterId) => readonly string[];
  /** What a peer says of its trust, whole, at each change; undefined: it is a peer no more. Returns at once. */
  readonly onTrust?: (cluster: string, trust: peering.PeerTrust | undefined) => void;
  /** Namespaces (PeerSpec) that a peer may bring; default all. */
  readonly namespacesOf?: (cluster: string) => readonly string[];
}

/** A peer as it is stored: what joining, or its hello, said. */
export interface PeerRecord {
  readonly cluster: string;
  /** HOST:PORT; empty when only the peer dials. */
  readonly addresses: readonly string[];
  /** Unix ms. */
  readonly joinedAt: number;
}

/** For `isthmus status` and `peer list`. */
export interface PeerReport {
  readonly cluster: string;
  /** `pending`: never connected yet. */
  readonly state: 'connected' | 'connecting' | 'lost' | 'pending';
  readonly dialledBy: 'us' | 'them' | 'nobody';
  /** ms since what is held of the peer was known to be all there is; null: never. */
  readonly dataAgeMs: number | null;
  readonly addresses: readonly string[];
  readonly version?: string;
  readonly error?: string;
}

/** Of one peer: what it says of everybody's shared objects, and what is held here of its own. */
export interface PeerObjectsReport {
  readonly cluster: string;
  /** What it says is as of now. */
  readonly current: boolean;
  /** By owner. */
  readonly states: ReadonlyMap<string, peering.ObjectsState>;
  /** By owner, then by SharedObject's name. */
  readonly named: ReadonlyMap<string, ReadonlyMap<string, peering.HeldObject>>;
  /** Undefined: nothing is known of them yet. */
  readonly held: HeldSet | undefined;
}
