import type { AuthzRule, MtlsMode } from '../../../core/authz/index.ts';
import type { Protocol } from '../../../core/model/index.ts';
import type { ProxyProtocol } from '../../../core/proxy-protocol.ts';
import type { AttemptFailure, Latency, MeshEnd, PeerIdentity } from '../contract.ts';

/** What goes to the crate: src/tables/message.rs has the same fields. */
export interface TablesChange {
  /** Everything that was told before is forgotten. */
  readonly whole?: boolean;
  readonly sni?: Readonly<Record<string, NativeSniRule | null>>;
  readonly plain?: Readonly<Record<string, NativePlainRule | null>>;
  readonly captured?: Readonly<Record<string, NativeCaptureRule | null>>;
  readonly exposed?: Readonly<Record<string, NativeExposedRule | null>>;
  readonly clusters?: Readonly<Record<string, NativeCluster | null>>;
  readonly identity?: NativeIdentity;
  /** By the names that rules call them. */
  readonly svids?: Readonly<Record<string, NativeSvid | null>>;
}

/** DER in hex; the key is PKCS#8. */
export interface NativeSvid {
  readonly chain: readonly string[];
  readonly key: string;
}

export interface NativeIdentity extends NativeSvid {
  readonly trust: NativeTrust;
}

export interface NativeTrust {
  readonly trustDomain: string;
  readonly roots: readonly string[];
  readonly intermediates: readonly { readonly cluster: string; readonly certificate: string }[];
  readonly deniedSerials: readonly string[];
  readonly others: readonly NativeTrust[];
}

export type NativeSniRule =
  | { readonly mode: 'passthrough'; readonly cluster: string }
  | {
      readonly mode: 'terminate';
      readonly cluster: string;
      readonly anySubset: boolean;
      /** New connections are the node engine's; those that run are judged by the rules all the same. */
      readonly handOver: boolean;
      readonly unknown: boolean;
      readonly rules: readonly AuthzRule[];
      readonly end: MeshEnd;
      /** Of `svids`, shown in place of the identity's. */
      readonly svid?: string;
      /** Requests: TLS ends there, and they come here. Absent: bytes, that go to the cluster. */
      readonly deliver?: { readonly protocol: Protocol; readonly onlyHttp2: boolean; readonly nameless: boolean };
    }
  | { readonly mode: 'node'; readonly anySubset: boolean };

export type NativePlainRule =
  | { readonly mode: 'forward'; readonly cluster: string; readonly allow: readonly string[] | 'any' }
  | { readonly mode: 'split'; readonly allow: readonly string[] | 'any'; readonly routing: NativeRouting }
  | { readonly mode: 'node' };

/** See CaptureRule. */
export interface NativeCaptureRule {
  readonly byDestination: Readonly<Record<string, string>>;
  readonly closed: readonly string[];
}

/** Of callers in the clear; those of the mesh go by the rules by SNI that lead to the same cluster. */
export interface NativeExposedRule {
  readonly mode: MtlsMode;
  /** The service's. */
  readonly port: number;
  readonly http: boolean;
  readonly cluster: string;
  /** They are the node engine's; its requests always are. */
  readonly handOver: boolean;
  readonly unknown: boolean;
  readonly rules: readonly AuthzRule[];
  readonly end: MeshEnd;
}

/** For one caller: what rules say of callers is decided. */
export interface NativeRouting {
  readonly name: string;
  /** The caller's ClientHello is to be read first. */
  readonly readsHello: boolean;
  /** The first that matches decides. */
  readonly rules: readonly NativeL4Rule[];
}

export interface NativeL4Rule {
  readonly name: string;
  /** Any of them; empty: every connection. */
  readonly matches: readonly { readonly subnets: readonly string[]; readonly sniHosts: readonly string[] }[];
  readonly bySource: boolean;
  readonly destinations: readonly (readonly [cluster: string, weight: number])[];
}

export interface NativeCluster {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs?: number;
  readonly maxDurationMs?: number;
  readonly maxConnections?: number;
  readonly keepAliveMs?: number;
  /** Each connection begins with who called. */
  readonly proxyProtocol?: ProxyProtocol;
  /** Nobody in it has answered lately: an end of mTLS looks whether anybody does before it takes a caller (serve-sni.ts). */
  readonly allSuspect: boolean;
  readonly policy: 'round-robin' | 'least-request' | 'random';
  readonly endpoints: readonly NativeEndpoint[];
  readonly plan: NativePlan;
}

export interface NativeDial {
  /** For which it is. */
  readonly cluster: string;
  readonly address: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  readonly keepAliveMs?: number;
  readonly tls: NativeTarget;
  readonly alpn: readonly string[];
}

export interface NativeEndpoint {
  readonly key: string;
  readonly id: number;
  readonly address: string;
  readonly port: number;
  readonly viaGateway: boolean;
  readonly standing: number;
  readonly tls?: NativeTarget;
}

/** Empty trust domain: the mesh's own. */
export interface NativeTarget {
  readonly sni: string;
  readonly uriSans: readonly string[];
  readonly clusterSan: string;
  readonly trustDomain: string;
}

/** Numbers are places in `endpoints`. */
export interface NativePlan {
  readonly pools: readonly {
    readonly load: number;
    readonly localities: readonly {
      readonly weight: number;
      readonly standing: number;
      readonly hosts: readonly (readonly [at: number, weight: number])[];
    }[];
  }[];
  readonly spare: readonly (readonly number[])[];
  readonly suspects: readonly (readonly number[])[];
}

/** What comes from it: src/engine/events.rs. */
export interface NativeBatch {
  readonly events: readonly NativeEvent[];
  /** Handles of endpoints that no later event names. */
  readonly released: readonly number[];
}

export type NativeEvent =
  | { readonly kind: 'attempt'; readonly cluster: string; readonly endpoint: number; readonly result: string; readonly count: number }
  | ({ readonly kind: 'forward' | 'ended' } & NativeReport)
  | { readonly kind: 'peer'; readonly peer: PeerIdentity }
  | NativeHanded
  | ({ readonly kind: 'delivered' } & NativeDelivered)
  | ({ readonly kind: 'dialled' } & NativeDialled)
  | { readonly kind: 'broken'; readonly number: number }
  | { readonly kind: 'trouble'; readonly what: string; readonly detail: string };

/** A socket, with what was read of it. */
export interface NativeHanded {
  readonly kind: 'handed';
  readonly number: number;
  readonly listener: string;
  readonly fd: number;
  /** Hexadecimal. */
  readonly preface: string;
  /** As in NativeReport, where a PROXY header has named them. */
  readonly told: readonly [source: string, destination: string] | null;
}

export interface NativeDelivered {
  readonly number: number;
  readonly listener: string;
  readonly fd: number;
  readonly cluster: string;
  readonly protocol: Protocol;
  readonly nameless: boolean;
  readonly sni: string;
  readonly alpn: string;
  readonly tlsVersion: string;
  readonly peer: PeerIdentity;
  readonly end: MeshEnd;
  readonly denied: string | null;
  /** As in NativeReport. */
  readonly source: string;
  readonly destination: string | null;
}

export interface NativeDialled {
  readonly number: number;
  /** Null: it failed. */
  readonly fd: number | null;
  readonly peer: PeerIdentity | null;
  readonly alpn: string;
  readonly failure: AttemptFailure;
  readonly reason: string;
}

export interface NativeReport {
  /** Connections that it stands for. */
  readonly count: number;
  readonly number: number;
  readonly listener: string;
  /** ADDRESS:PORT, an IPv6 address in brackets. */
  readonly source: string;
  readonly destination: string | null;
  readonly outcome: 'forward' | 'deliver' | 'refused';
  readonly sni: string;
  readonly cluster: string;
  readonly endpoint: number | null;
  readonly peer: PeerIdentity | null;
  readonly end: MeshEnd | null;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly durationMs: number;
  readonly attempts: number;
  readonly flags: readonly string[];
  readonly reason: string;
  readonly detail: string;
}

export interface NativePlace {
  readonly endpoint: number;
  /** ADDRESS:PORT. */
  readonly address: string;
  readonly heard: number;
  readonly waiting: boolean;
}

export interface NativeLatencies {
  readonly boundsMs: readonly number[];
  readonly seen: readonly Omit<Latency, 'boundsMs'>[];
}

export interface NativeCounters {
  readonly open: number;
  /** Of those, handed over and not released. */
  readonly handed: number;
  readonly accepted: number;
  readonly ended: Readonly<Record<string, number>>;
  readonly inUse: readonly string[];
}
