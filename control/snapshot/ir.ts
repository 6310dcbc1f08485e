import type { AuthzRule, PortMtls, TokenRule } from '../../core/authz/index.ts';
import type { NetworkId, Protocol } from '../../core/model/index.ts';
import type { JwtKey } from '../../core/pki/index.ts';
import type { ClusterTraffic, IngressListener, Routing } from '../../core/traffic/index.ts';
import type { PersistentMap } from '../catalog/index.ts';

/**
 * The intermediate representation: what a client of the mesh is told, before any dialect. Plain data, immutable, sorted
 * where order has no meaning, so that equal content has equal versions.
 */
export interface IrOf {
  readonly listener: ListenerIr;
  readonly route: RouteIr;
  readonly cluster: ClusterIr;
  readonly endpoints: AssignmentIr;
  readonly bundle: BundleIr;
  readonly authz: AuthzIr;
  /** Where the traffic of a listener's port goes, where it is not simply the port's xDS cluster. */
  readonly routing: Routing;
  readonly inbound: InboundIr;
  readonly tunnelGateway: TunnelGatewayIr;
}
export type ResourceKind = keyof IrOf;
export const resourceKinds: readonly ResourceKind[] = [
  'listener',
  'route',
  'cluster',
  'endpoints',
  'bundle',
  'authz',
  'routing',
  'inbound',
  'tunnelGateway',
];

/** Sealed: `version` is a hash of the content. The same object is shared by every client that gets it. */
export interface Resource<K extends ResourceKind = ResourceKind> {
  readonly kind: K;
  /** Unique within its kind: see the messages in native.proto. */
  readonly name: string;
  readonly version: string;
  readonly value: IrOf[K];
}

export type ListenerIr =
  | {
      readonly type: 'service';
      readonly namespace: string;
      readonly service: string;
      /** Canonical first. */
      readonly hosts: readonly string[];
      readonly ports: readonly {
        readonly port: number;
        readonly name: string;
        readonly protocol: Protocol;
        readonly cluster: string;
        /** Name of its routing resource; absent: all goes to `cluster`. */
        readonly routing?: string;
      }[];
    }
  | {
      readonly type: 'originate';
      readonly port: number;
      readonly protocol: Protocol;
      readonly cluster: string;
      /** Empty: nobody. */
      readonly allowedCidrs: readonly string[];
      readonly namespace: string;
      readonly service: string;
      readonly routing?: string;
    }
  | ({ readonly type: 'ingress' } & IngressListener);

/** What the mTLS end of a service has to know besides its policies (name: the service's key). */
export interface InboundIr {
  /** Callers behind a passthrough gateway may have asked for any of these; sorted, without the empty one. */
  readonly subsets: readonly string[];
}

/** Where tunnels are begun (name: CLUSTER/INSTANCE). */
export interface TunnelGatewayIr {
  readonly network: string;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly uriSans: readonly string[];
  readonly clusterSan: string;
  readonly draining: boolean;
}

/** Who may begin the tunnel that leads to an endpoint. */
export interface TunnelIr {
  readonly instance: string;
  readonly uriSan: string;
  readonly clusterSan: string;
  /** Lower-case hex. */
  readonly secretSha256: string;
}

export interface RouteIr {
  readonly mode: 'passthrough' | 'terminate';
  readonly cluster: string;
  readonly protocol: Protocol;
  /** Name of the authz resource; set when mode is terminate. */
  readonly authz: string;
  /** Through tunnels alone: not for gateways that hold none. */
  readonly tunnel?: true;
}

export interface ClusterIr {
  readonly host: string;
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** ms; 0: the client's default, 5,000. */
  readonly connectTimeoutMs: number;
  /** Absent: the defaults throughout. */
  readonly traffic?: ClusterTraffic;
}

export interface AssignmentIr {
  /** By (priority, address, port, sni). */
  readonly endpoints: readonly EndpointIr[];
  /** Shares of localities within one priority (`distribute`), relative; absent: endpoints' weights alone count. */
  readonly localities?: readonly { readonly priority: number; readonly locality: string; readonly weight: number }[];
}

export interface EndpointIr {
  readonly address: string;
  readonly port: number;
  /** Integer, relative within one priority; 0 takes no new connections. */
  readonly weight: number;
  /** Contiguous from 0. */
  readonly priority: number;
  /** Absent: plaintext, inside one network only. */
  readonly tls?: TlsIr;
  readonly cluster: string;
  readonly network: string;
  readonly locality: string;
  /** Empty behind a gateway, where it may be several. */
  readonly runtime: string;
  readonly instance: string;
  readonly viaGateway: boolean;
  readonly stale: boolean;
  readonly draining: boolean;
  /** Its registry says so: counts in how healthy its priority is, and is used in panic alone. Default false. */
  readonly unhealthy?: boolean;
  /** Through this, and not by its address. Of gateways' own routes alone. */
  readonly tunnel?: TunnelIr;
}

export interface TlsIr {
  readonly sni: string;
  /** Any of these, sorted. */
  readonly uriSans: readonly string[];
  /** And this; empty where it is of another trust domain. */
  readonly clusterSan: string;
  /** Of that other trust domain: verified against its bundle alone. */
  readonly trustDomain?: string;
}

export interface BundleIr {
  /** DER, base64. */
  readonly roots: readonly string[];
  readonly intermediates: readonly { readonly cluster: string; readonly certificate: string }[];
  readonly deniedSerials: readonly string[];
  /** Base64 of TrustBundle's. */
  readonly signingRoot?: string;
  /** Sorted. Absent: none. */
  readonly jwtKeys?: readonly JwtKeyIr[];
  /** Canonical hosts of services are NAME.NAMESPACE.HOST-SUFFIX; empty in that of another trust domain. */
  readonly hostSuffix: string;
  /** Of the mesh's own: the other trust domains of which callers may come, sorted. Absent: none. */
  readonly others?: readonly string[];
  /** It is of one of those. */
  readonly federated?: true;
}

export interface JwtKeyIr extends Omit<JwtKey, 'publicKey'> {
  /** SubjectPublicKeyInfo, DER, base64. */
  readonly publicKey: string;
}

/** Deny rules first; then, if any allow rule matches, allowed; otherwise refused. See core/authz for what matches. */
export interface AuthzIr {
  readonly rules: readonly AuthzRule[];
  /** Policies of this cluster narrow the rules, and other clusters have endpoints too, which those guard by policies of their own. */
  readonly elsewhere?: boolean;
  /** How its requests' tokens are verified, in this order; absent: they are not. */
  readonly tokens?: readonly TokenRule[];
  /** Ports whose plain listeners take plaintext, sorted; absent: none do. */
  readonly mtls?: readonly PortMtls[];
}

/** Clients of one class get the same snapshot. `gateway`: of this control plane's cluster, on that network. */
export interface ClientClass {
  readonly kind: 'agent' | 'gateway' | 'ingress';
  readonly network: NetworkId;
  /** REGION/ZONE/SUBZONE, for what is near; absent or empty: not known. */
  readonly locality?: string;
  /** Of the clients' identities, where that decides how services are called; absent where it does not. */
  readonly namespace?: string;
  /** Of an ingress gateway, for the selectors of Gateways; absent for others. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Everything one class of clients may subscribe to. Immutable, structurally shared between versions. */
export interface Snapshot {
  readonly client: ClientClass;
  /** Of the whole content; equal content has equal versions whatever its history. */
  readonly version: string;
  /** What each owner contributes: a service by its key, and `mesh` for what belongs to none. */
  readonly owners: PersistentMap<string, readonly Resource[]>;
  readonly resources: { readonly [K in ResourceKind]: PersistentMap<string, Resource<K>> };
}

/** Names whose version differs between two snapshots, removed ones included. */
export type SnapshotDiff = { readonly [K in ResourceKind]: ReadonlySet<string> };
