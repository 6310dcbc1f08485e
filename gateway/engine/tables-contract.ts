import type { MtlsMode } from '../../core/authz/index.ts';
import type { Svid, TrustBundle } from '../../core/identity/index.ts';
import type { Protocol } from '../../core/model/index.ts';
import type { ProxyProtocol } from '../../core/proxy-protocol.ts';
import type { ClusterTraffic, Routing } from '../../core/traffic/index.ts';
import type { AssignmentState, AuthzState, EndpointState } from '../state/types.ts';
import type { CaptureRule } from './capture-contract.ts';
import type { IngressRule } from './ingress-contract.ts';

/** What an engine looks up for each new connection: plain, immutable, replaced as a whole. */
export interface EngineTables {
  /** By SNI, exact and lower-case. */
  readonly sni: ReadonlyMap<string, SniRule>;
  /** By listener name, for listeners of kind `plain`. */
  readonly plain: ReadonlyMap<string, PlainRule>;
  /** By listener name, for listeners of kind `ingress`. Absent: none. */
  readonly ingress?: ReadonlyMap<string, IngressRule>;
  /** By listener name, for listeners of kind `exposed`. Absent: none. */
  readonly exposed?: ReadonlyMap<string, ExposedRule>;
  /** By listener name, for listeners of kind `captured`. Absent: none. */
  readonly captured?: ReadonlyMap<string, CaptureRule>;
  readonly clusters: ReadonlyMap<string, ClusterTable>;
  /** By name, as rules of `plain` and `ingress` listeners name them. */
  readonly routings: ReadonlyMap<string, Routing>;
  /** `ejectionKey`s that outlier detection holds back; used all the same when nothing else is left. */
  readonly ejected: ReadonlySet<string>;
  /** Presented as server and as client. */
  readonly svid: Svid;
  readonly trust: TrustBundle;
}

export type SniRule =
  | { readonly mode: 'passthrough'; readonly clusterName: string }
  /** The mTLS end is here, and whoever proves an identity is delivered, by this protocol (ALPN) alone. */
  | { readonly mode: 'tunnel'; readonly alpn: string }
  | {
      readonly mode: 'terminate';
      readonly clusterName: string;
      readonly protocol: Protocol;
      readonly authz: AuthzState;
      readonly end: MeshEnd;
      /** Requests do not say who called. */
      readonly nameless?: true;
      /** Presented in place of the tables'. */
      readonly svid?: Svid;
      /** Callers that ask for a user's subset of it are meant too: which endpoints are in one is decided on their side. */
      readonly anySubset?: true;
    };

/** A service's own port, where callers without mesh come as well. */
export interface ExposedRule {
  /** As of its names in `sni`: whoever asks for another one here is no caller of the mesh. */
  readonly end: Extract<SniRule, { mode: 'terminate' }>;
  /** The service port, for rules that name ports. */
  readonly port: number;
  readonly mode: MtlsMode;
}

/** Bytes in the clear come in and go to a cluster. */
export interface PlainRule {
  readonly clusterName: string;
  readonly protocol: Protocol;
  /** In `routings`, and known there. Absent: everything goes to `clusterName`. */
  readonly routingName?: string;
  /** CIDRs whose connections are taken; `any` where the bind address is the border (loopback). Empty: nobody. */
  readonly allow: readonly string[] | 'any';
}

/** Who the mTLS end speaks for; for logs and metrics. */
export interface MeshEnd {
  readonly namespace: string;
  readonly service: string;
}

export interface ClusterTable {
  readonly name: string;
  readonly host: string;
  readonly namespace: string;
  readonly service: string;
  /** Default `http`. */
  readonly protocol?: Protocol;
  readonly connectTimeoutMs: number;
  readonly endpoints: readonly EndpointState[];
  readonly localities?: AssignmentState['localities'];
  readonly traffic?: ClusterTraffic;
  /** Each connection begins with who called, in this version of the PROXY protocol. Default: it does not. */
  readonly proxyProtocol?: ProxyProtocol;
}

/**
 * Names an endpoint in `ejected`. A gateway is one thing however many services are behind it, because only refused connects,
 * which are its own failure, ever eject it.
 */
export function ejectionKey(clusterName: string, endpoint: EndpointState): string {
  const location = endpoint.tunnel === undefined ? `${endpoint.address}:${endpoint.port}` : `tunnel ${endpoint.tunnel.instance}`;
  return endpoint.viaGateway ? `gateway ${location}` : `${clusterName} ${location}`;
}
