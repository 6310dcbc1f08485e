import type { AccessLogging } from '../../core/access-log/index.ts';
import type { LocalityPolicy, MigrationSide } from '../../core/config/index.ts';
import type { ServiceKey } from '../../core/model/index.ts';
import type { ClusterTraffic, IngressListener, Routing } from '../../core/traffic/index.ts';
import type { MergedService } from '../catalog/index.ts';

/**
 * What the traffic objects in force say, ready for snapshots. Pure and immutable: made anew when an object or the set of services
 * changes, with everything that did not change `===` to what it was, so that a snapshot rebuilds what differs and nothing else.
 */
export interface TrafficModel {
  /** Undefined: nothing is said of it, all defaults hold. */
  service(key: ServiceKey): ServiceTraffic | undefined;
  /** Whether callers of that namespace are told otherwise than others of any service (`callers` of a ServiceTraffic). */
  differsFor(namespace: string): boolean;
  /** Those of ingress gateways, by `NAMESPACE/NAME` of the Gateway object. */
  readonly gateways: ReadonlyMap<string, CompiledGateway>;
  /** Everything of the model before that is not the same in this one. */
  readonly changed: { readonly services: ReadonlySet<ServiceKey>; readonly gateways: ReadonlySet<string> };
  readonly findings: readonly Finding[];
  /** Another object only where an answer may differ. */
  readonly clients: ClientRules;
}

/** What decides which Sidecar and which Telemetry hold for a client. */
export interface Workload {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What holds for some workloads and not for others, by what they are. */
export interface ClientRules {
  /** By its Sidecar; undefined: every service. The same object for all whom one egress is for. */
  egress(workload: Workload): Egress | undefined;
  /** By its Telemetries; undefined: everything is logged. */
  logging(workload: Workload): AccessLogging | undefined;
}

/** Which services the hosts of a Sidecar name. */
export interface Egress {
  /** NAMESPACE/NAME of the Sidecar that names them. */
  readonly sidecar: string;
  names(service: ServiceKey): boolean;
}

/** How a service is called by those who see the same DestinationRules. */
export interface CallerTraffic {
  /** NAMESPACE/NAME of the DestinationRules that hold for the whole service, merged into one; the first is the oldest. */
  readonly rules: readonly string[];
  /** Sorted by name; the same names for all callers. */
  readonly subsets: readonly Subset[];
  /** Of the whole service (subset ''), by service port. */
  readonly policies: ReadonlyMap<number, ClusterPolicy>;
}

export interface ServiceTraffic extends CallerTraffic {
  /** By service port; a port without one goes straight to its xDS cluster. */
  readonly routing: ReadonlyMap<number, Routing>;
  /** By the caller's namespace, where DestinationRules of its own, or shown to it alone, say otherwise. */
  readonly callers: ReadonlyMap<string, CallerTraffic>;
}

export interface Subset {
  readonly name: string;
  /** All must be equal; empty: every endpoint that `source` lets in. */
  readonly labels: Readonly<Record<string, string>>;
  /** Absent: whoever speaks of an endpoint. */
  readonly source?: SourceSelector;
  /** Already merged with what holds for the whole service. */
  readonly policies: ReadonlyMap<number, ClusterPolicy>;
}

/** Endpoints by who speaks of them, be it as one of several: an agent's proven record of an address may stand for a registry's of the same. */
export interface SourceSelector {
  readonly of: MigrationSide;
  /** Those that this one speaks of too are not meant: what both sides of a shift know is the old one's. */
  readonly but?: MigrationSide;
}

export interface ClusterPolicy {
  readonly traffic?: ClusterTraffic;
  readonly locality?: LocalityPolicy;
  /** The servers are of another trust domain, and known by their ids; absent: of the mesh, or of none. */
  readonly foreign?: ForeignServers;
}

export interface ForeignServers {
  readonly trustDomain: string;
  /** Any of these SPIFFE ids, all of that trust domain. */
  readonly uriSans: readonly string[];
  /** As its own mesh calls the service; empty: it has no name of its own. */
  readonly host: string;
}

export interface CompiledGateway {
  readonly name: string;
  /** All must equal the labels of the ingress gateway. */
  readonly selector: Readonly<Record<string, string>>;
  /** `address` is left to the gateway where it is empty. */
  readonly listeners: readonly IngressListener[];
  /** By name, as the servers of `listeners` say them. */
  readonly routings: ReadonlyMap<string, Routing>;
  /** xDS clusters lead to these. */
  readonly services: readonly ServiceKey[];
}

/** What is wrong, or likely not meant, without being refused: shown by `plan`, `status` and the object's conditions. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  /** Stable word: dangling-reference, shadowed-rule, unreachable-subset, weight-sum, conflict, policy-cuts-traffic, ... */
  readonly code: string;
  readonly object: { readonly kind: string; readonly namespace: string; readonly name: string };
  /** Dotted, into the object. */
  readonly path: string;
  readonly message: string;
}

/** Something that proxies would refuse in what was compiled. */
export interface CompiledFault {
  /** Name of the rule that it is in; absent: of the whole. */
  readonly rule?: string;
  /** Dotted, into the rule or the whole as compiled; empty: all of it. */
  readonly path: string;
  readonly message: string;
}

/** Pure: what proxies would say of the parts of a model. Part by part, as models share those that did not change. */
export interface CompiledCheck {
  routing(routing: Routing): readonly CompiledFault[];
  traffic(traffic: ClusterTraffic): readonly CompiledFault[];
  listener(listener: IngressListener): readonly CompiledFault[];
}

/** Whether an endpoint has labels. `isthmus.dev/runtime`, `isthmus.dev/cluster`, `isthmus.dev/registry`, `isthmus.dev/network` count as its labels, beside its own. */
export type SelectEndpoint = (labels: Readonly<Record<string, string>>, endpoint: MergedService['endpoints'][number]) => boolean;
