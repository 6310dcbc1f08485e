import type {
  ClusterId,
  EndpointKey,
  EndpointRecord,
  Health,
  NetworkId,
  Runtime,
  ServiceKey,
  ServicePort,
  SourceId,
} from '../../core/model/index.ts';

/**
 * `unknown`: never synced by this process and nothing persisted: contributes nothing, and is never published as empty.
 * `live` → `stale` (lost, or restored from disk and not yet synced: the last good records stand, ranked last) → `expired`
 * (stale for longer than catalog.expireAfterMs: contributes nothing).
 */
export type ShardState = 'unknown' | 'live' | 'stale' | 'expired';

/**
 * Everything the mesh knows at one moment. Immutable and structurally shared: what did not change between two views is the
 * same object in both, so `===` tells what did. Iteration order of the maps is not defined; sort where it matters.
 */
export interface CatalogView {
  /** One more at each change. */
  readonly revision: number;
  /** This control plane's own cluster. */
  readonly cluster: ClusterId;
  /** Every visible service: those of local sources and those that peers export to us. */
  readonly services: ReadonlyMap<ServiceKey, MergedService>;
  /** The same from local sources alone: what may be exported. Where no peer contributes it is the object in `services`. */
  readonly local: ReadonlyMap<ServiceKey, MergedService>;
  /** Names that a source reported and may not publish. */
  readonly withheld: ReadonlyMap<ServiceKey, readonly Withheld[]>;
  /** By network, sorted by (cluster, instance). */
  readonly gateways: ReadonlyMap<NetworkId, readonly GatewayRecord[]>;
  /** Sorted by (cluster, source). */
  readonly sources: readonly SourceStatus[];
}

/** One service, merged over all sources that publish its name. */
export interface MergedService {
  readonly key: ServiceKey;
  readonly namespace: string;
  readonly name: string;
  /** By port number. Names and numbers are unique. */
  readonly ports: readonly ServicePort[];
  /** By key. Their `ports` are keyed by the names in `ports` above and hold only ports on which their source agrees. */
  readonly endpoints: readonly CatalogEndpoint[];
  /** The oldest contribution that has a key gives its value. */
  readonly labels: Readonly<Record<string, string>>;
  /** Unix ms, of the oldest contribution. */
  readonly createdAt: number;
  /** Oldest first (createdAt, then cluster, then source); the first is the one whose ports win. */
  readonly contributions: readonly Contribution[];
  /** Networks of the endpoints, sorted. */
  readonly networks: readonly NetworkId[];
  readonly conditions: readonly ServiceCondition[];
}

/** What one source says of a service, its endpoints apart. */
export interface Contribution {
  readonly cluster: ClusterId;
  readonly source: SourceId;
  readonly state: 'live' | 'stale';
  readonly ports: readonly ServicePort[];
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: number;
}

/** One endpoint after deduplication: the record that won, with what the others add. */
export interface CatalogEndpoint extends EndpointRecord {
  readonly key: EndpointKey;
  readonly cluster: ClusterId;
  readonly source: SourceId;
  /** `stale` when no live source vouches for it. */
  readonly state: 'live' | 'stale';
  /** Every record of this location, the winner first. `health` above is their conjunction. */
  readonly provenance: readonly Provenance[];
}

export interface Provenance {
  readonly cluster: ClusterId;
  readonly source: SourceId;
  readonly instance: string;
  readonly attested: boolean;
  readonly health: Health;
  readonly state: 'live' | 'stale';
  readonly labels: Readonly<Record<string, string>>;
}

export type ServiceCondition =
  | {
      readonly type: 'PortConflict';
      /** Whose port is not used. */
      readonly cluster: ClusterId;
      readonly source: SourceId;
      readonly port: ServicePort;
      readonly winner: { readonly cluster: ClusterId; readonly source: SourceId; readonly port: ServicePort };
      readonly message: string;
    }
  | {
      readonly type: 'NameCollision';
      readonly cluster: ClusterId;
      /** Sources that report the name without a claim to it. */
      readonly sources: readonly SourceId[];
      readonly message: string;
    };

/** A name that is reported but not published, and why. */
export interface Withheld {
  readonly key: ServiceKey;
  readonly reason: 'NameCollision' | 'NotClaimed' | 'NamespaceNotAllowed';
  readonly cluster: ClusterId;
  readonly sources: readonly SourceId[];
  readonly message: string;
}

/** One east-west gateway. */
export interface GatewayRecord {
  readonly cluster: ClusterId;
  readonly network: NetworkId;
  readonly instance: string;
  /** IPs where other networks reach it. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly healthy: boolean;
  readonly draining: boolean;
  /** It takes tunnels. Default false. */
  readonly holdsTunnels?: boolean;
  /** What moves its bytes, by its own word; for people. */
  readonly engine?: string;
  /** Nobody can dial it: it keeps tunnels to gateways of peers. */
  readonly tunnel?: GatewayTunnel;
}

export interface GatewayTunnel {
  /** SPIFFE id. */
  readonly identity: string;
  /** Of what it says when it begins one; lower-case hex. */
  readonly secretSha256: string;
  /** CLUSTER/INSTANCE of gateways that it has one to, by its own word; sorted. */
  readonly gateways: readonly string[];
}

export interface SourceStatus {
  readonly cluster: ClusterId;
  readonly source: SourceId;
  readonly runtime?: Runtime;
  readonly state: ShardState;
  /** What is served was read from disk and has not been confirmed by the source since this process started. */
  readonly restored: boolean;
  /** Full snapshots taken, and changes applied, since this process started. */
  readonly epoch: number;
  readonly revision: number;
  /** The registry's own revision, for people. */
  readonly cursor: string;
  /** Monotonic ms when it came into `state`. */
  readonly since: number;
  /** Monotonic ms when its data was last known to be current; absent while unknown. */
  readonly dataAt?: number;
  readonly services: number;
  readonly endpoints: number;
  /** Why it is not live. */
  readonly error?: string;
  /** What it says that cannot be used and is left out, the first ten; absent: nothing. */
  readonly refused?: readonly string[];
}

/** What became different since the reader last looked. Lossless for slow readers: the sets are unions. */
export interface CatalogChange {
  readonly view: CatalogView;
  /** Changed, added or removed, including in `local`, `withheld` alone counts too. */
  readonly services: ReadonlySet<ServiceKey>;
  /** Networks whose gateways changed. */
  readonly gateways: ReadonlySet<NetworkId>;
  /** A source's state changed. */
  readonly sources: boolean;
}
