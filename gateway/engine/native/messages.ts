import type { AuthzRule } from '../../../core/authz/index.ts';
import type { MeshEnd, PeerIdentity } from '../contract.ts';

/** What goes to the crate: src/tables/message.rs has the same fields. */
export interface TablesChange {
  /** Everything that was told before is forgotten. */
  readonly whole?: boolean;
  readonly sni?: Readonly<Record<string, NativeSniRule | null>>;
  readonly plain?: Readonly<Record<string, NativePlainRule | null>>;
  readonly clusters?: Readonly<Record<string, NativeCluster | null>>;
  readonly identity?: NativeIdentity;
}

/** DER in hex; the key is PKCS#8. */
export interface NativeIdentity {
  readonly chain: readonly string[];
  readonly key: string;
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
    }
  | { readonly mode: 'node'; readonly anySubset: boolean };

export type NativePlainRule =
  | { readonly mode: 'forward'; readonly cluster: string; readonly allow: readonly string[] | 'any' }
  | { readonly mode: 'node' };

export interface NativeCluster {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs?: number;
  readonly maxDurationMs?: number;
  readonly maxConnections?: number;
  readonly keepAliveMs?: number;
  readonly policy: 'round-robin' | 'least-request' | 'random';
  readonly endpoints: readonly NativeEndpoint[];
  readonly plan: NativePlan;
}

export interface NativeEndpoint {
  readonly key: string;
  readonly id: number;
  readonly address: string;
  readonly port: number;
  readonly viaGateway: boolean;
  readonly standing: number;
  readonly tls?: { readonly sni: string; readonly uriSans: readonly string[]; readonly clusterSan: string; readonly trustDomain: string };
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
  | { readonly kind: 'handed'; readonly number: number; readonly listener: string; readonly fd: number; readonly preface: string }
  | { readonly kind: 'trouble'; readonly what: string; readonly detail: string };

export interface NativeReport {
  /** Connections that it stands for. */
  readonly count: number;
  readonly number: number;
  readonly listener: string;
  /** ADDRESS:PORT, an IPv6 address in brackets. */
  readonly source: string;
  readonly destination: string | null;
  readonly outcome: 'forward' | 'refused';
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
  readonly heard: number;
  readonly waiting: boolean;
}

export interface NativeCounters {
  readonly open: number;
  /** Of those, handed over and not released. */
  readonly handed: number;
  readonly accepted: number;
  readonly ended: Readonly<Record<string, number>>;
  readonly inUse: readonly string[];
}
