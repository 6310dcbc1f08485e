import type { ClusterRef, HttpRule, WeightedDestination } from './http-rule.ts';
import type { L4Match } from './match.ts';

/**
 * Where the traffic of one listener port goes, compiled: first the virtual host (exact, then the longest `*.suffix`, then `*`),
 * in it the first rule that matches. No rule: 404 for HTTP, closed for the rest. Named `PORT|HOST` for a port of a mesh service,
 * `ingress|PORT|...` for one of a gateway.
 */
export interface Routing {
  /** For http, http2 and grpc; distinct domains. */
  readonly virtualHosts: readonly VirtualHost[];
  /** For tcp and tls, first match. */
  readonly l4: readonly L4Rule<ClusterRef>[];
}

export interface VirtualHost {
  readonly name: string;
  /** Lower case, without port: exact, `*.suffix`, or `*`. */
  readonly domains: readonly string[];
  readonly rules: readonly HttpRule<ClusterRef>[];
}

export interface L4Rule<D> {
  readonly name: string;
  /** Any of them; empty: every connection. */
  readonly matches: readonly L4Match[];
  readonly destinations: readonly WeightedDestination<D>[];
  /** As of a RouteAction, by the source address. */
  readonly byHash?: true;
}

/** One port of an ingress gateway. */
export interface IngressListener {
  readonly address: string;
  readonly port: number;
  readonly servers: readonly IngressServer[];
}

export interface IngressServer {
  /** Unique in its listener. */
  readonly name: string;
  /** SNI names this server is for (`*.suffix` allowed); of plain HTTP the hosts. Empty or `*`: any. */
  readonly hosts: readonly string[];
  readonly protocol: 'http' | 'tcp' | 'tls-passthrough';
  /** Absent: in the clear. */
  readonly tls?: {
    readonly mode: 'simple' | 'mutual' | 'optional-mutual';
    /** Files where the gateway runs, re-read when they change; the key's readable by its owner alone. */
    readonly certFile: string;
    readonly keyFile: string;
    /** Of clients. */
    readonly caFile?: string;
    readonly minVersion: '1.2' | '1.3';
    readonly alpn: readonly string[];
  };
  /** Plain HTTP is answered 301 to https. */
  readonly httpsRedirect: boolean;
  /** Name of the Routing resource. */
  readonly routing: string;
}
