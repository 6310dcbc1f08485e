import type { Svid, TrustBundle } from '../../core/identity/index.ts';

/** Ours are `native`, `node` and, of HTTP, the prototype of it in the engine; the others are what users would pick instead. */
export type ContenderName = 'native' | 'node' | 'prototype' | 'HAProxy' | 'nginx' | 'Envoy';

/** What every contender is to do, alike. */
export type ProxyPlan =
  | {
      /** TLS passed on by its SNI, unread. */
      readonly kind: 'passthrough';
      /** How many names lead to the origin. */
      readonly routes: number;
      /** Ours alone: how often its configuration changes, of the rules that are loaded too. Absent: never. */
      readonly changeEveryMs?: number;
      /** Ours alone: it writes a line for each connection. Absent: it writes none, as the peers do. */
      readonly accessLog?: true;
    }
  | {
      /** Two processes: plaintext in and mTLS out, then mTLS in and plaintext out. TLS 1.3, ECDSA P-256. */
      readonly kind: 'mtls';
      /** Whether later connections may resume a session. */
      readonly resume: boolean;
    }
  | HttpPlan;

/** Requests in the clear, routed by the rules of http-rules.ts; the same version on both sides. */
export interface HttpPlan {
  readonly kind: 'http';
  readonly version: 'http1' | 'http2';
  /** Of every answer's body. */
  readonly size: number;
}

/** What a proxy is started with. */
export interface ProxyBrief {
  readonly plan: ProxyPlan;
  readonly originPort: number;
  /** A folder of its own; somebody else removes it. */
  readonly dir: string;
  readonly identity: BenchIdentity;
}

/** Certificates of both ends, as the control plane issues them, also as PEM files. */
export interface BenchIdentity {
  readonly client: Svid;
  readonly server: Svid;
  readonly bundle: TrustBundle;
  readonly trustDomain: string;
  readonly files: { readonly client: PemFiles; readonly server: PemFiles; readonly roots: string };
}

export interface PemFiles {
  readonly chain: string;
  readonly key: string;
  /** Both in one, as HAProxy wants it. */
  readonly both: string;
}

/** A proxy that serves. */
export interface RunningProxy {
  /** Where callers connect, on 127.0.0.1. */
  readonly port: number;
  /** Its processes; children of theirs count as well. The last one is the side of the origin. */
  readonly pids: readonly number[];
  /** The last one gives up its garbage. Absent: it has none. */
  readonly collect?: () => Promise<void>;
  stop(): Promise<void>;
}

/** Undefined: it is not to be had here. Rejects when it does not come up, with what it said. */
export type StartProxy = (brief: ProxyBrief) => Promise<RunningProxy | undefined>;

/** `{}` is where the number of the route goes. */
export const sniPattern = 'outbound_.80_._.service-{}.shop.mesh.internal';
/** Of the mTLS between the pair. */
export const pairSni = 'outbound_.80_._.orders.shop.mesh.internal';
/** Routes lead to this many clusters at most, in turn. */
export const mostClusters = 16;

export function sniOf(route: number): string {
  return sniPattern.replace('{}', String(route));
}
