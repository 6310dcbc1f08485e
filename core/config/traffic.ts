import type { ClusterTraffic, DestinationRef, HttpRule, L4Rule } from '../traffic/index.ts';

/**
 * Traffic kinds after parsing, whoever invented them: Istio's and the Gateway API's say the same things in different words, so
 * that what compiles and serves them knows one vocabulary. What is not supported was refused by the parser, by name.
 */

/** Where an object holds: in every cluster of the mesh (default), replicated through peering, or in its own alone. */
export type Scope = 'mesh' | 'cluster';

/** VirtualService, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute. */
export interface RouteSpec {
  /** What the object was, for messages. */
  readonly origin: 'VirtualService' | 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute' | 'TCPRoute';
  /**
   * As written: short names, FQDNs, wildcards. Empty (Gateway API): those of the listener or parent service. An empty list in a
   * VirtualService: others delegate to it, and it has no parents.
   */
  readonly hosts: readonly string[];
  /** Where it is attached. */
  readonly parents: readonly RouteParent[];
  readonly http: readonly RouteRule[];
  readonly l4: readonly L4RouteRule[];
  /** Namespaces that may see it (`.` own, `*` all); Istio's exportTo. Empty: all. */
  readonly exportTo: readonly string[];
  /** Unix ms; the older wins a conflict (both kinds say so), then NAMESPACE/NAME. */
  readonly createdAt: number;
}

export type RouteParent =
  /** Every client in the mesh that calls `hosts`. */
  | { readonly type: 'mesh' }
  | { readonly type: 'gateway'; readonly namespace: string; readonly name: string; readonly section?: string; readonly port?: number }
  /** Gateway API for mesh (GAMMA): callers of this service. */
  | { readonly type: 'service'; readonly namespace: string; readonly name: string; readonly port?: number };

/** `ports`, `gateways` (`mesh`, or NAMESPACE/NAME of a Gateway): conditions that are decided when compiling; each empty means any. */
export interface L4RouteRule extends L4Rule<DestinationRef> {
  readonly type: 'tcp' | 'tls';
  readonly ports: readonly number[];
  /** Absent, as empty: any. */
  readonly gateways?: readonly string[];
}

/** Conditions as in L4RouteRule. */
export interface RouteRule extends HttpRule<DestinationRef> {
  /** By match, in the order of `matches`. */
  readonly conditions: readonly { readonly ports: readonly number[]; readonly gateways: readonly string[] }[];
  /** Istio: another VirtualService without hosts goes on from here, NAMESPACE/NAME; the action then means nothing. */
  readonly delegate?: { readonly namespace: string; readonly name: string };
}

/** Istio's DestinationRule. */
export interface DestinationRuleSpec {
  readonly host: string;
  readonly policy: DestinationPolicy;
  readonly subsets: readonly {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly policy: DestinationPolicy;
  }[];
  readonly exportTo: readonly string[];
  readonly createdAt: number;
}

export interface DestinationPolicy extends ClusterTraffic {
  readonly locality?: LocalityPolicy;
  readonly ports: readonly { readonly port: number; readonly policy: Omit<DestinationPolicy, 'ports'> }[];
}

/** Istio's LocalityLoadBalancerSetting; both lists together hold, `distribute` first. */
export interface LocalityPolicy {
  /** Default true. */
  readonly enabled: boolean;
  /** `from` and keys of `to`: REGION/ZONE/SUBZONE with a trailing `*`; weights sum to 100. */
  readonly distribute: readonly { readonly from: string; readonly to: Readonly<Record<string, number>> }[];
  readonly failover: readonly { readonly from: string; readonly to: string }[];
  /** Label keys, or `key=value`; the more of the first ones match, the nearer. */
  readonly failoverPriority: readonly string[];
}

/** Istio's Gateway, and the Gateway API's. */
export interface GatewaySpec {
  readonly origin: 'istio' | 'gateway-api';
  /** Of ingress gateways; all must be equal. */
  readonly selector: Readonly<Record<string, string>>;
  readonly servers: readonly GatewayServer[];
  readonly createdAt: number;
}

export interface GatewayServer {
  /** Section name (listener name); may be empty for Istio's. */
  readonly name: string;
  readonly port: number;
  readonly protocol: 'http' | 'https' | 'tcp' | 'tls';
  /** `NAMESPACE/HOST` as Istio allows, or hosts; `*`: any. */
  readonly hosts: readonly string[];
  readonly tls?: {
    readonly mode: 'simple' | 'mutual' | 'optional-mutual' | 'passthrough';
    readonly certFile?: string;
    readonly keyFile?: string;
    readonly caFile?: string;
    readonly minVersion: '1.2' | '1.3';
  };
  readonly httpsRedirect: boolean;
  /** Gateway API: namespaces whose routes may attach; `*`: all. Istio: `*`. */
  readonly routeNamespaces: readonly string[] | { readonly labels: Readonly<Record<string, string>> };
  /** Gateway API: kinds of routes that may attach; empty: those that the protocol implies. */
  readonly routeKinds: readonly string[];
}

/** Istio's ServiceEntry. */
export interface ServiceEntrySpec {
  readonly hosts: readonly string[];
  readonly addresses: readonly string[];
  readonly ports: readonly { readonly number: number; readonly name: string; readonly protocol: string; readonly targetPort?: number }[];
  readonly location: 'external' | 'internal';
  readonly resolution: 'static' | 'dns' | 'none';
  readonly endpoints: readonly WorkloadEntrySpec[];
  readonly workloadSelector: Readonly<Record<string, string>>;
  readonly exportTo: readonly string[];
  readonly subjectAltNames: readonly string[];
  readonly createdAt: number;
}

/** Istio's WorkloadEntry, and a ServiceEntry's endpoint. */
export interface WorkloadEntrySpec {
  readonly address: string;
  readonly ports: Readonly<Record<string, number>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly network: string;
  readonly locality: string;
  readonly weight: number;
  readonly serviceAccount: string;
}

/** Istio's WorkloadGroup: what holds for each workload that joined with a token of its name, where the agent says nothing else. */
export interface WorkloadGroupSpec {
  readonly labels: Readonly<Record<string, string>>;
  readonly template: Omit<WorkloadEntrySpec, 'address'>;
  /** Whose agent has been silent for so long, without a goodbye, is forgotten, ms. Absent: as everybody else. */
  readonly expireAfterMs?: number;
}

/** Istio's Sidecar: what the workloads it selects can see. */
export interface SidecarSpec {
  readonly workloadSelector: Readonly<Record<string, string>>;
  /** `NAMESPACE/HOST` with `*`, `.` or `~`; absent: all. */
  readonly egressHosts?: readonly string[];
  readonly createdAt: number;
}

/** Istio's Telemetry, as far as it concerns access logs. */
export interface TelemetrySpec {
  readonly selector: Readonly<Record<string, string>>;
  /** In order: of each side the last that speaks of it counts. */
  readonly accessLogging: readonly {
    readonly side: 'client' | 'server' | 'both';
    readonly disabled: boolean;
    /** As core/access-log reads it. */
    readonly filter?: string;
  }[];
  readonly createdAt: number;
}

/** The Gateway API's ReferenceGrant: routes of `from` may lead to services here. */
export interface ReferenceGrantSpec {
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
}

/** The MCS API's ServiceExport: exports the service of its own name to every peer. */
export type ServiceExportSpec = Readonly<Record<string, never>>;

/** The MCS API's ServiceImport: written by the control plane into Kubernetes; as configuration it only names what is imported. */
export interface ServiceImportSpec {
  readonly type: 'ClusterSetIP' | 'Headless';
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[];
}

/** Own kind, because no other says it: active checks by the clients of a host, and ejection by success rate. One of them at least. */
export interface HealthCheckPolicySpec {
  readonly host: string;
  readonly port?: number;
  readonly subset?: string;
  readonly check?: NonNullable<ClusterTraffic['healthCheck']>;
  /** Beside what a DestinationRule says of outliers; without one, with Istio's defaults and nothing else. */
  readonly successRate?: NonNullable<NonNullable<ClusterTraffic['outlier']>['successRate']>;
}
