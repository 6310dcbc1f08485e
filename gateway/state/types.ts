import type { AccessLogging } from '../../core/access-log/index.ts';
import type { AuthzRule, PortMtls, TokenRule } from '../../core/authz/index.ts';
import type { TrustBundle } from '../../core/identity/index.ts';
import type { Protocol } from '../../core/model/index.ts';
import type { ClusterTraffic, IngressListener, Routing } from '../../core/traffic/index.ts';

/**
 * What a gateway or an agent knows of the mesh: the native dialect after validation, names resolved to our own words.
 * Deeply immutable; every change makes a new one that shares what did not change, so a connection can hold the state it
 * was admitted with.
 */
export interface DataPlaneState {
  readonly listeners: ReadonlyMap<string, ListenerState>;
  /** By SNI. */
  readonly routes: ReadonlyMap<string, RouteState>;
  readonly clusters: ReadonlyMap<string, ClusterState>;
  /** By xDS cluster name. */
  readonly assignments: ReadonlyMap<string, AssignmentState>;
  /** By trust domain. */
  readonly bundles: ReadonlyMap<string, BundleState>;
  /** By `NAMESPACE/SERVICE`. */
  readonly authz: ReadonlyMap<string, AuthzState>;
  /** By name: see Routing. */
  readonly routings: ReadonlyMap<string, Routing>;
  /** One, named `telemetry`, or none: then everything is logged. */
  readonly telemetry: ReadonlyMap<string, AccessLogging>;
  /** By CLUSTER/INSTANCE. */
  readonly tunnelGateways: ReadonlyMap<string, TunnelGatewayState>;
}

export const emptyState: DataPlaneState = {
  listeners: new Map(),
  routes: new Map(),
  clusters: new Map(),
  assignments: new Map(),
  bundles: new Map(),
  authz: new Map(),
  routings: new Map(),
  telemetry: new Map(),
  tunnelGateways: new Map(),
};

export interface BundleState extends TrustBundle {
  /** Canonical hosts are NAME.NAMESPACE.HOST-SUFFIX; empty where the control plane does not say. */
  readonly hostSuffix: string;
}

export type ListenerState = ServiceListenerState | OriginateListenerState | IngressListenerState;

export interface IngressListenerState extends IngressListener {
  readonly kind: 'ingress';
  readonly name: string;
}

export interface ServiceListenerState {
  readonly kind: 'service';
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  /** Canonical first, never empty. */
  readonly hosts: readonly string[];
  readonly ports: readonly {
    readonly port: number;
    readonly name: string;
    readonly protocol: Protocol;
    readonly clusterName: string;
    /** Absent: all goes to `clusterName`. */
    readonly routingName?: string;
  }[];
}

export interface OriginateListenerState {
  readonly kind: 'originate';
  readonly name: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly clusterName: string;
  /** Empty: nobody may connect. */
  readonly allowedCidrs: readonly string[];
  readonly namespace: string;
  readonly service: string;
  readonly routingName?: string;
}

export interface RouteState {
  /** The SNI. */
  readonly name: string;
  readonly mode: 'passthrough' | 'terminate';
  readonly clusterName: string;
  readonly protocol: Protocol;
  /** Empty for passthrough. */
  readonly authzName: string;
}

export interface ClusterState {
  readonly name: string;
  readonly host: string;
  readonly namespace: string;
  readonly service: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly connectTimeoutMs: number;
  /** Absent: the defaults throughout. */
  readonly traffic?: ClusterTraffic;
}

export interface AssignmentState {
  readonly clusterName: string;
  readonly endpoints: readonly EndpointState[];
  /** Shares of localities within one priority; absent: endpoints' weights alone count. */
  readonly localities?: readonly { readonly priority: number; readonly locality: string; readonly weight: number }[];
}

export interface EndpointState {
  /** IPv4 or IPv6, never a name. */
  readonly address: string;
  readonly port: number;
  /** Relative within one priority; 0 takes no new connections. */
  readonly weight: number;
  /** 0 is tried first. */
  readonly priority: number;
  /** Absent: plaintext. */
  readonly tls?: UpstreamTls;
  /** Mesh cluster that owns it. */
  readonly cluster: string;
  readonly network: string;
  readonly locality: string;
  readonly runtime: string;
  readonly instance: string;
  /** `address` is an east-west gateway: refused connects are its failure, whatever comes after is its backends'. */
  readonly viaGateway: boolean;
  readonly stale: boolean;
  readonly draining: boolean;
  /** Its registry says so: counts in how healthy its priority is, used in panic alone. Default false. */
  readonly unhealthy?: boolean;
  /** Reached through a tunnel that it begins, and by nothing else: nobody answers at `address`. */
  readonly tunnel?: TunnelState;
}

/** Who may begin that tunnel. */
export interface TunnelState {
  readonly instance: string;
  readonly uriSan: string;
  readonly clusterSan: string;
  /** Lower-case hex. */
  readonly secretSha256: string;
}

/** A gateway that takes tunnels. */
export interface TunnelGatewayState {
  /** CLUSTER/INSTANCE. */
  readonly name: string;
  readonly network: string;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly tls: UpstreamTls;
  readonly draining: boolean;
}

/** What the server there must prove, and the name that asks for it. */
export interface UpstreamTls {
  readonly sni: string;
  /** Any of these SPIFFE ids; never empty. */
  readonly uriSans: readonly string[];
  /** And this DNS SAN; empty where `trustDomain` is not, and nowhere else. */
  readonly clusterSan: string;
  /** It is of this other trust domain, and verified against its bundle alone. Absent or empty: of the mesh's own. */
  readonly trustDomain?: string | undefined;
}

export interface AuthzState {
  readonly name: string;
  readonly rules: readonly AuthzRule[];
  /** Nobody has said who may call: nobody new is let in. */
  readonly unknown?: true;
  /** How its requests' tokens are verified, in this order; absent: they are not looked at. */
  readonly tokens?: readonly TokenRule[];
  /** What its plain listeners take; absent: mTLS alone. */
  readonly mtls?: readonly PortMtls[];
}
