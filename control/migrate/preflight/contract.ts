import type { MigrationPhase } from '../../../core/admin/index.ts';
import type { ExportPolicyObject, MigrationSide, MigrationSpec, RegistrySpec, TrafficObject } from '../../../core/config/index.ts';
import type { ServiceKey } from '../../../core/model/index.ts';
import type { Violation } from '../../../core/validate.ts';
import type { CatalogView } from '../../catalog/index.ts';
import type { Policy } from '../../policy/index.ts';
import type { TrafficModel } from '../../routing/index.ts';

/** What is to be moved, and where to. */
export interface PreflightRequest {
  readonly namespace: string;
  readonly service: string;
  /** An empty cluster is this one. */
  readonly from: MigrationSide;
  readonly to: MigrationSide;
  /** Of the Migration; default SERVICE-to-SOURCE. */
  readonly name?: string;
  /** A Migration that somebody wrote: it is checked whole, and its own service and sides count. Absent: one is proposed. */
  readonly spec?: MigrationSpec;
}

/** Everything that is looked at. Plain immutable data, of one moment; nothing here is read again while it is judged. */
export interface PreflightFacts {
  readonly view: CatalogView;
  readonly trustDomain: string;
  readonly hostSuffix: string;
  /** Who may call what, in the order in which snapshots apply them. */
  readonly policies: readonly Policy[];
  /** Made from `view` and `objects`. */
  readonly traffic: TrafficModel;
  /** In force. */
  readonly objects: readonly TrafficObject[];
  readonly exports: readonly ExportPolicyObject[];
  readonly peers: readonly PeerFact[];
  /** Configured here; sources that need no configuration (agents, entries) have none. */
  readonly registries: readonly RegistryFact[];
  /** Of the last hour. Undefined: no proxy reports, so nobody knows. */
  readonly calls: readonly CallFact[] | undefined;
  /** To this service. Undefined: nothing was seen. */
  readonly seen: SeenTraffic | undefined;
  /** All of this cluster, the one in question too where it was applied before. */
  readonly migrations: readonly MigrationFact[];
  readonly freeze: { readonly by: string; readonly reason: string } | null;
  /** How many may run at once. */
  readonly limit: number;
  /** Connected now. */
  readonly clients: readonly ClientFact[];
  readonly gatewayPorts: readonly { readonly service: ServiceKey; readonly port: number }[];
  /** Names of MeshSpec.originate.sources: callers without a sidecar that gateways serve. */
  readonly originateSources: readonly string[];
  /** Machines of which an agent reads the socket table. */
  readonly socketAgents: readonly { readonly network: string; readonly address: string }[];
  /** What a registry says of this service beside its records, by source id. Absent: nothing is known. */
  readonly native?: Readonly<Record<string, NativeFact>>;
}

export interface PeerFact {
  readonly cluster: string;
  /** Whose services and identities it may bring here; `*` for all. */
  readonly namespaces: readonly string[];
  readonly connected: boolean;
}

export interface RegistryFact extends Pick<RegistrySpec, 'type' | 'publish' | 'rules'> {
  /** Source id. */
  readonly id: string;
  /** Whether instances that others registered may be taken out of a native name, to be put back. Absent: no. */
  readonly takeover?: boolean | undefined;
}

/** As telemetry counts it. */
export interface CallFact {
  /** Without the scheme. */
  readonly source: { readonly principal: string; readonly cluster: string };
  readonly destination: ServiceKey;
  /** And connections. */
  readonly requests: number;
}

/** Sums over `seconds`, of all callers. */
export interface SeenTraffic {
  readonly seconds: number;
  readonly requests: number;
  readonly connections: number;
  /** Of both. */
  readonly errors: number;
  /** ms; null: no requests. */
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  /** The most requests at once that are known of; null: not known. */
  readonly inFlight: number | null;
}

export interface MigrationFact {
  readonly namespace: string;
  readonly name: string;
  readonly spec: MigrationSpec;
  /** Of its state, as are the next two. Absent: nothing has been written of it yet. */
  readonly phase?: MigrationPhase;
  /** Percent to its new side. Absent: 0. */
  readonly weight?: number;
  /** Its weights are in force no more. */
  readonly released?: boolean;
}

export interface ClientFact {
  readonly id: string;
  /** Without the scheme. */
  readonly principal: string;
  readonly kind: 'agent' | 'gateway' | 'ingress';
  readonly dialect: 'native' | 'envoy' | 'grpc';
  readonly network: string;
  /** Of proxyless gRPC clients: mesh clusters whose endpoints they can trust. Absent: all. */
  readonly anchors?: readonly string[];
}

export interface NativeFact {
  /** Its name answers with the addresses of its instances. */
  readonly headless?: boolean;
  readonly udpPorts?: readonly number[];
}

export interface PreflightCheck {
  /** Stable word. Several may have one name, each of another thing. */
  readonly name: string;
  /** `warn`: it can begin, and people should know. */
  readonly ok: 'pass' | 'warn' | 'fail';
  /** What was found, with figures. */
  readonly message: string;
  /** What to change; empty where nothing need be. */
  readonly fix: string;
  /** Dotted, into the Migration; empty: none of its fields. */
  readonly path: string;
}

export interface Preflight {
  /** In a fixed order. */
  readonly checks: readonly PreflightCheck[];
  /** One for each failed check: with any the migration must not begin. */
  readonly violations: readonly Violation[];
  readonly name: string;
  readonly spec: MigrationSpec;
  /** The Migration as people write it: plain data for YAML or JSON. */
  readonly document: MigrationDocument;
}

export interface MigrationDocument {
  readonly apiVersion: string;
  readonly kind: 'Migration';
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    /** How the figures of a proposal came about. */
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}
