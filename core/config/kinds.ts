import type { AuthzCondition, MtlsMode, PortMtls, TokenRule } from '../authz/index.ts';
import type { RegistryRules } from '../registry/index.ts';
import type { AttestationPolicySpec } from './attestation.ts';
import type { FederatedTrustDomainSpec, FederationServerSpec } from './federation.ts';
import type { MigrationSpec, TrafficShiftSpec } from './migration.ts';
import type {
  DestinationRuleSpec,
  GatewaySpec,
  HealthCheckPolicySpec,
  ReferenceGrantSpec,
  RouteSpec,
  Scope,
  ServiceEntrySpec,
  ServiceExportSpec,
  ServiceImportSpec,
  SidecarSpec,
  TelemetrySpec,
  WorkloadEntrySpec,
  WorkloadGroupSpec,
} from './traffic.ts';

/** The own kinds, `isthmus.dev/v1alpha1`, and Istio's, after parsing: defaults filled in, frozen, times in ms. control/config parses them from YAML. */
export type ConfigObject =
  | MeshObject
  | RegistryObject
  | ExportPolicyObject
  | PeerObject
  | AccessPolicyObject
  | FederatedTrustDomainObject
  | AuthorizationPolicyObject
  | RequestAuthenticationObject
  | PeerAuthenticationObject
  | TrafficObject;

interface ObjectOf<K extends string, S> {
  readonly kind: K;
  readonly name: string;
  /** Mesh, Registry and Peer have none: ''. */
  readonly namespace: string;
  readonly spec: S;
}

/** Istio's networking and telemetry kinds, the Gateway API's, the MCS API's: what may be applied, replicated and rolled back. */
export type TrafficObject =
  | TrafficObjectOf<'VirtualService' | 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute' | 'TCPRoute', RouteSpec>
  | TrafficObjectOf<'DestinationRule', DestinationRuleSpec>
  | TrafficObjectOf<'Gateway', GatewaySpec>
  | TrafficObjectOf<'ServiceEntry', ServiceEntrySpec>
  | TrafficObjectOf<'WorkloadEntry', WorkloadEntrySpec>
  | TrafficObjectOf<'WorkloadGroup', WorkloadGroupSpec>
  | TrafficObjectOf<'Sidecar', SidecarSpec>
  | TrafficObjectOf<'Telemetry', TelemetrySpec>
  | TrafficObjectOf<'ReferenceGrant', ReferenceGrantSpec>
  | TrafficObjectOf<'ServiceExport', ServiceExportSpec>
  | TrafficObjectOf<'ServiceImport', ServiceImportSpec>
  | TrafficObjectOf<'HealthCheckPolicy', HealthCheckPolicySpec>
  | TrafficObjectOf<'Migration', MigrationSpec>
  | AttestationPolicyObject
  | TrafficObjectOf<'TrafficShift', TrafficShiftSpec>;

/** `group` tells Istio's Gateway from the Gateway API's: `networking.istio.io`, without the version. */
export interface TrafficObjectOf<K extends string, S> extends ObjectOf<K, S> {
  readonly group: string;
  readonly scope: Scope;
}

/** It holds where it was written alone: each control plane judges for itself. */
export type AttestationPolicyObject = TrafficObjectOf<'AttestationPolicy', AttestationPolicySpec>;
export type MeshObject = ObjectOf<'Mesh', MeshSpec>;
export type RegistryObject = ObjectOf<'Registry', RegistrySpec>;
export type ExportPolicyObject = ObjectOf<'ExportPolicy', ExportPolicySpec>;
export type PeerObject = ObjectOf<'Peer', PeerSpec>;
/** It holds in its owner's cluster alone unless `scope` says otherwise. */
export type AuthorizationPolicyObject = ObjectOf<'AuthorizationPolicy', AuthorizationPolicySpec> & {
  readonly group?: string;
  readonly scope?: Scope;
};
export type RequestAuthenticationObject = ObjectOf<'RequestAuthentication', RequestAuthenticationSpec> & {
  readonly group?: string;
  readonly scope?: Scope;
};
export type PeerAuthenticationObject = ObjectOf<'PeerAuthentication', PeerAuthenticationSpec> & {
  readonly group?: string;
  readonly scope?: Scope;
};
export type AccessPolicyObject = ObjectOf<'AccessPolicy', AccessPolicySpec>;
export type FederatedTrustDomainObject = ObjectOf<'FederatedTrustDomain', FederatedTrustDomainSpec>;

/** Exactly one per control plane. */
export interface MeshSpec {
  readonly cluster: string;
  readonly trustDomain: string;
  /** Network of this control plane, default for its registries and agents. */
  readonly network: string;
  /** Default `mesh.internal`. */
  readonly hostSuffix: string;
  /** Everything durable: store, keys, audit log. Owner-only. */
  readonly stateDir: string;
  readonly store:
    | { readonly kind: 'embedded' }
    | {
        readonly kind: 'etcd';
        readonly endpoints: readonly string[];
        readonly prefix: string;
        readonly caFile?: string;
        readonly certFile?: string;
        readonly keyFile?: string;
        /** Holds `USER:PASSWORD`, where etcd's own authentication is on. */
        readonly credentialFile?: string;
      };
  /** xDS, identity, registration, peering (gRPC). Default 0.0.0.0:15012. `advertise`: HOST:PORT that others dial; may be empty. */
  readonly grpc: { readonly listen: string; readonly advertise: readonly string[] };
  /** Default 0.0.0.0:15014. */
  readonly api: { readonly listen: string };
  /** Liveness and readiness, plaintext. Default 127.0.0.1:15021. */
  readonly health: { readonly listen: string };
  readonly identity: {
    /** Default 24 h, 1 h - 7 d; seconds only in trust domains under `.test`. */
    readonly svidTtlMs: number;
    /** Default 90 d. */
    readonly intermediateTtlMs: number;
    /** The root's key where this cluster may sign online; absent: joiner, or offline root. */
    readonly rootDir?: string;
    /** Signs this cluster's intermediates over HTTPS, with a root that is not here. */
    readonly signer?: {
      readonly url: string;
      /** The root over what it signs, PEM: nothing else counts, whatever it answers. */
      readonly rootFile: string;
      /** What its server's certificate chains to; absent: what the system trusts. */
      readonly caFile?: string;
      /** Sent as a bearer token. */
      readonly tokenFile?: string;
    };
  };
  readonly originate: {
    /** Inclusive; default 16000-19999. */
    readonly portRange: readonly [number, number];
    /** Callers without a sidecar, by source address; nobody unless named. */
    readonly sources: readonly { readonly name: string; readonly cidrs: readonly string[] }[];
  };
  readonly catalog: {
    /** A lost source's endpoints go after this; default 1 h; 0: never. */
    readonly expireAfterMs: number;
    /** An agent that is silent this long is unhealthy; default 15 s. */
    readonly agentTtlMs: number;
  };
  /** How many migrations of this cluster run at once; others wait. Default 3. */
  readonly migrations: { readonly maxConcurrent: number };
  /** Absent: other trust domains have this one's bundle by other ways. */
  readonly federation?: FederationServerSpec;
}

export interface RegistrySpec {
  readonly type: 'consul' | 'nomad' | 'kubernetes' | 'file';
  readonly rules: RegistryRules;
  /** Write imported services back as `NAME-mesh`; default off. */
  readonly publish: boolean;
  /** A migration that switches a service's native name here may take the original instances out of it; default off. */
  readonly takeover?: boolean;
  /** Type kubernetes: its custom resources are objects of this cluster, as if applied here. Absent: they are not read. */
  readonly objects?: ObjectSelection;
  readonly connection: ConsulConnection | NomadConnection | KubernetesConnection | FileConnection;
}

/** Which custom resources of one Kubernetes are read. */
export interface ObjectSelection {
  /** Of those that may be applied; empty: all. */
  readonly kinds: readonly string[];
  /** Where an object is read that says nothing for itself; `*` for everywhere. */
  readonly namespaces: readonly string[];
}

export interface TlsFiles {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly serverName?: string;
}

export interface ConsulConnection {
  readonly type: 'consul';
  /** http(s)://HOST:PORT */
  readonly url: string;
  readonly datacenter?: string;
  readonly namespace?: string;
  readonly partition?: string;
  /** Tokens come from files, re-read at use, so that they can be rotated and never sit in config. */
  readonly tokenFile?: string;
  readonly tls?: TlsFiles;
}

export interface NomadConnection {
  readonly type: 'nomad';
  readonly url: string;
  readonly region?: string;
  /** Default `*`. */
  readonly namespace: string;
  readonly tokenFile?: string;
  readonly tls?: TlsFiles;
}

export interface KubernetesConnection {
  readonly type: 'kubernetes';
  /** Absent: in-cluster. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Empty: all. */
  readonly namespaces: readonly string[];
}

export interface FileConnection {
  readonly type: 'file';
  /** Folder of WorkloadEntry and ServiceEntry YAML. */
  readonly path: string;
}

/** Nothing crosses a cluster border until one of these selects it. */
export interface ExportPolicySpec {
  /** Globs over service names in the object's own namespace; with namespace `*`, over `NAMESPACE/NAME`. */
  readonly services: readonly string[];
  /** All must equal the service's labels; empty: no condition. */
  readonly labels: Readonly<Record<string, string>>;
  /** Clusters that may see it; `*` for every peer. */
  readonly audience: readonly string[];
}

export interface PeerSpec {
  readonly cluster: string;
  /** Namespaces whose identities the peer may present here; `*` for all. Default `*`. */
  readonly namespaces: readonly string[];
  /** HOST:PORT to dial; may be empty when only the peer dials. */
  readonly addresses: readonly string[];
}

export type Role = 'viewer' | 'editor' | 'operator' | 'admin';

export interface AccessPolicySpec {
  readonly role: Role;
  /** `*` for all. */
  readonly namespaces: readonly string[];
  /** SPIFFE ids (trailing `*` allowed), or `credential:NAME`. */
  readonly subjects: readonly string[];
}

/**
 * Istio's `security.istio.io/v1`. In the namespace `isthmus-system` it selects in all namespaces, elsewhere in its own. Who may be
 * named how: see AuthzMatch in core/authz.
 */
export interface AuthorizationPolicySpec extends WorkloadSelection {
  /** AUDIT marks what it matches in the access log, and decides nothing. */
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT';
  /** Any must match. ALLOW without rules allows nobody. */
  readonly rules: readonly {
    /** Any must match; empty: anybody. */
    readonly from: readonly AuthorizationSource[];
    /** What is asked for, and how: `to` and `when`. Absent: anything. */
    readonly when?: AuthzCondition;
  }[];
}

/** Whose services a policy of Istio's security kinds is for. */
export interface WorkloadSelection {
  /** All must equal labels of the service, or of one endpoint of it; empty: every service. */
  readonly selector: Readonly<Record<string, string>>;
  /** Names of services of its own namespace, in place of `selector`. Absent: `selector` says. */
  readonly services?: readonly string[];
}

/** At least one list is not empty, or there is `more`; all that are said must match. */
export interface AuthorizationSource {
  readonly principals: readonly string[];
  readonly notPrincipals: readonly string[];
  readonly namespaces: readonly string[];
  readonly notNamespaces: readonly string[];
  /** Our one addition: mesh clusters, as proven by the DNS SAN. */
  readonly clusters: readonly string[];
  readonly more?: AuthzCondition;
}

/** Istio's `security.istio.io/v1`; it selects as an AuthorizationPolicy does. */
export interface RequestAuthenticationSpec extends WorkloadSelection {
  /** In this order. */
  readonly rules: readonly RequestTokenRule[];
}

/** `jwks` is empty where `jwksUri` says where keys are to be had. */
export interface RequestTokenRule extends TokenRule {
  /** https://…; absent: the keys are in `jwks`. */
  readonly jwksUri?: string;
  /** ms, of one fetch; default 5 s. */
  readonly timeoutMs: number;
}

/**
 * Istio's `security.istio.io/v1`. In the namespace `isthmus-system` it is for the whole mesh, elsewhere for its own; with a selector for those
 * that it selects there.
 */
export interface PeerAuthenticationSpec {
  /** As in WorkloadSelection; empty: all. */
  readonly selector: Readonly<Record<string, string>>;
  /** Absent (UNSET): what holds without this object. */
  readonly mode?: MtlsMode;
  /** By service port, sorted; only with a selector. */
  readonly ports: readonly PortMtls[];
  /** Unix ms; of two that are for the same the older wins. */
  readonly createdAt: number;
}
