import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { Svid, TrustBundle } from '../../core/identity/index.ts';
import type { ListenerKeeper } from '../../core/listeners/index.ts';
import type { Protocol } from '../../core/model/index.ts';
import type { ProxyProtocol } from '../../core/proxy-protocol.ts';
import type { ClusterTraffic, Routing } from '../../core/traffic/index.ts';
import type { AssignmentState, AuthzState, EndpointState } from '../state/types.ts';
import type { CalledEndpoint } from './called-endpoint.ts';
import type { CaptureRule } from './capture-contract.ts';
import type { IngressRule } from './ingress-contract.ts';

/**
 * What moves bytes. TypeScript decides (routes, balancing policy, authorisation, identity) and writes its decisions as plain
 * immutable tables; an engine looks them up for each new connection and calls nobody per byte. Two engines keep to this
 * file and pass one suite, test/contract/engine: `node` (always there) and, later, `native`.
 *
 * Nothing here throws for what a remote does: a connection that fails ends with a `ConnectionReport` that says why.
 */
export interface Engine {
  readonly name: 'node' | 'native';
  /**
   * Replaces all tables at once. New connections see them; running ones keep what they were admitted with, and are closed
   * by nothing but their own end, their limits, or drain; a byte stream that ends mTLS here also by rules that refuse its peer. Cheap enough to call for every change.
   */
  apply(tables: EngineTables): void;
  /** Binds and serves. Rejects with MeshError PORT_TAKEN (cause: the bind error) when the address cannot be had. */
  listen(listener: EngineListenerSpec): Promise<EngineListener>;
  /** A connection that another engine accepted, on its listener of this spec, paused: it is this one's from here, as if it had been accepted here. */
  adopt(listener: EngineListenerSpec, socket: Socket): void;
  /**
   * Connects to one endpoint, and proves it when it has `tls`. Resolves with `ok: false` for every way that fails. The
   * returned stream belongs to the caller, who must end or destroy it. Ends early when `signal` aborts (`aborted`).
   */
  dial(request: DialRequest): Promise<DialResult>;
  counters(): EngineCounters;
  /** Closes listeners, lets connections finish, and destroys what is left after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void>;
  /** Destroys everything at once. Idempotent. */
  dispose(): Promise<void>;
}

export interface EngineOptions {
  readonly limits: EngineLimits;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Who callers of plain listeners are, for rules that ask. Default nobody. */
  readonly caller?: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> };
  /** A connection whose bytes must be seen (`deliver`): the receiver owns the stream from here. */
  readonly deliver: (connection: DeliveredConnection) => void;
  /** One call for each accepted connection, when it has ended; for delivered ones too. */
  readonly onConnection: (report: ConnectionReport) => void;
  /** One call for each connection that is carried on to an endpoint, when that begins; `onConnection` tells of its end. */
  readonly onForward?: (report: ConnectionReport) => void;
  /** One call for each peer that a handshake of mTLS has proven, on either side. Default nobody asks. */
  readonly onPeer?: (peer: PeerIdentity) => void;
  /** One call for each attempt at an endpoint; feeds outlier detection. */
  readonly onAttempt: (attempt: EndpointAttempt) => void;
  /** One call for each TCP connection to an endpoint, when it begins; feeds silence detection, which may destroy it. */
  readonly onDial?: (endpoint: EndpointState, socket: Socket) => void;
  /** A stream to an endpoint that has `tunnel`; undefined: no tunnel of it is held. Absent: none ever is. */
  readonly openTunnel?: (endpoint: EndpointState) => Duplex | undefined;
  /** Asked before each connection to an endpoint; the returned function is called when it has closed. Undefined: no more, `overflow`. */
  readonly admit?: (clusterName: string, always: boolean) => (() => void) | undefined;
  /**
   * Asked for each connection of a plain listener, and of a captured one that goes to one, before anything is read of it. `destination`: as its caller
   * sees it. Absent: this engine carries all. Must not reject.
   */
  readonly carrier?: (socket: Socket, destination: ConnectionSource) => Promise<Carrier>;
  /** Default: this process alone. */
  readonly listeners?: ListenerKeeper;
  /** Where a connection was to go that a packet filter led here; undefined: it came by itself. Default: all have. */
  readonly originalDestination?: ((socket: Socket) => ConnectionSource | undefined) | undefined;
}

/** Who carries a connection: this engine, another one that has the same listeners, or nobody, and why. */
export type Carrier = 'this' | { readonly refused: string } | Pick<Engine, 'adopt'>;

export interface EngineLimits {
  /** Open connections of one engine; the next is closed at once, flag UO. Default 10,000. */
  readonly maxConnections: number;
  /** Of one source address. Default 1,000. */
  readonly maxConnectionsPerSource: number;
  /** Bytes of TLS records until the ClientHello is whole. Default 16,384. */
  readonly maxHelloBytes: number;
  /** From accept to a whole ClientHello. Default 5,000 ms. */
  readonly helloTimeoutMs: number;
  /** From then to the end of a TLS handshake in which the engine is an end. Default 10,000 ms. */
  readonly handshakeTimeoutMs: number;
  /** No byte in either direction. Default 1 h, as Envoy's tcp_proxy; 0: never. */
  readonly idleTimeoutMs: number;
  /** One direction has ended and the other is silent. Default 5 min; 0: as idleTimeoutMs. */
  readonly halfCloseTimeoutMs: number;
  /** Endpoints tried for one connection. Default 3. */
  readonly maxAttempts: number;
}

export interface EngineTables {
  /** By SNI, exact and lower-case. */
  readonly sni: ReadonlyMap<string, SniRule>;
  /** By listener name, for listeners of kind `plain`. */
  readonly plain: ReadonlyMap<string, PlainRule>;
  /** By listener name, for listeners of kind `ingress`. Absent: none. */
  readonly ingress?: ReadonlyMap<string, IngressRule>;
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

/** Who the other side of an mTLS connection proved to be. */
export interface PeerIdentity {
  readonly spiffeId: string;
  /** SPIFFE id without the scheme. */
  readonly principal: string;
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Mesh cluster, from the DNS SAN. */
  readonly cluster: string;
  readonly dnsSans: readonly string[];
  /** SHA-256 of the certificate, lower-case hex. */
  readonly fingerprint: string;
  /** Of another trust domain: namespace, service account, cluster and DNS SANs are empty then. Absent: of the mesh's own. */
  readonly foreign?: true;
  /** SHA-256 of the root that vouched, lower-case hex; absent where it could not be seen. */
  readonly root?: string;
  /** Of the certificate, lower-case hex; for lists of those that were taken back. Absent where nobody asks. */
  readonly serial?: string;
}

export interface EngineListenerSpec {
  /** Unique in the engine; names its PlainRule, IngressRule or CaptureRule. */
  readonly name: string;
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  readonly kind: 'sni' | 'plain' | 'ingress' | 'captured';
}

export interface EngineListener {
  readonly address: string;
  readonly port: number;
  /** Stops accepting; what runs goes on. Idempotent. */
  close(): Promise<void>;
}

export interface DialRequest {
  readonly clusterName: string;
  readonly endpoint: CalledEndpoint;
  readonly connectTimeoutMs: number;
  readonly alpn?: readonly string[];
  readonly signal?: AbortSignal;
  /** Beyond the cluster's maxConnections, too. */
  readonly always?: boolean;
}

export type DialResult =
  | { readonly ok: true; readonly socket: Duplex; readonly peer?: PeerIdentity; readonly alpn: string }
  | { readonly ok: false; readonly failure: AttemptFailure; readonly reason: string };

/**
 * `connect`: TCP was refused, unreachable or timed out. `tls`: the handshake broke, or the server did not prove what it must.
 * `early-close`: it ended before a byte came back. `local-origin`: the mesh
 * end there answered that its application is down. `overflow`: the cluster has as many connections as it may; nobody was asked.
 */
export type AttemptFailure = 'connect' | 'tls' | 'early-close' | 'local-origin' | 'aborted' | 'overflow';

export interface EndpointAttempt {
  readonly clusterName: string;
  readonly endpoint: EndpointState;
  readonly result: 'ok' | AttemptFailure;
}

export interface ConnectionSource {
  readonly address: string;
  readonly port: number;
}

export interface DeliveredConnection {
  readonly socket: Duplex;
  /** Process-wide unique, for logs. */
  readonly id: string;
  readonly listener: string;
  readonly clusterName: string;
  /** As in PlainRule, at the moment of the connection. */
  readonly routingName?: string;
  readonly protocol: Protocol;
  readonly sni: string;
  readonly alpn: string;
  /** Absent on plain and ingress listeners. */
  readonly peer?: PeerIdentity;
  /** By a rule of that mode: no request is in it. */
  readonly tunnel?: true;
  /** It comes from outside the mesh, by this scheme: what it says of itself that only proxies may say is not believed. */
  readonly outside?: 'http' | 'https';
  readonly end?: MeshEnd;
  /** As in SniRule. */
  readonly nameless?: true;
  /** HTTP only: authorisation refused the peer, so its requests are to be answered 403; why, for logs. */
  readonly denied?: string;
  readonly source: ConnectionSource;
  readonly destination: ConnectionSource;
}

/** Envoy's response flags (access log docs, %RESPONSE_FLAGS%); `-` when nothing went wrong. */
export type ResponseFlag =
  | 'UH'
  | 'UF'
  | 'UO'
  | 'NR'
  | 'DI'
  | 'FI'
  | 'URX'
  | 'NC'
  | 'DT'
  | 'DC'
  | 'UC'
  | 'UT'
  | 'LR'
  | 'UR'
  | 'DPE'
  | 'UPE'
  | 'SI'
  | 'OM';

/** The reason of a connection on which a control plane has seen who is here: nobody's traffic. */
export const lookedAt = 'looked-at';

export interface ConnectionReport {
  readonly id: string;
  readonly listener: string;
  readonly source: ConnectionSource;
  readonly destination: ConnectionSource;
  /** How far it came: `refused` ended before a route was taken. */
  readonly outcome: 'forward' | 'deliver' | 'refused';
  readonly sni: string;
  readonly clusterName: string;
  readonly peer?: PeerIdentity;
  readonly end?: MeshEnd;
  readonly upstream?: EndpointState;
  /** From the source, and to it. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly durationMs: number;
  readonly attempts: number;
  readonly flags: readonly ResponseFlag[];
  /** Stable word for counters: `hello-oversized`, `unknown-sni`, `rbac-denied`, ...; empty when all went well. */
  readonly reason: string;
  /** For people: what happened; holds no secret. */
  readonly detail: string;
}

export interface EngineCounters {
  readonly open: number;
  /** xDS clusters that open connections have been led to. */
  readonly inUse: ReadonlySet<string>;
  readonly accepted: number;
  /** By `ConnectionReport.reason`. */
  readonly ended: ReadonlyMap<string, number>;
}

/**
 * Names an endpoint in `ejected`. A gateway is one thing however many services are behind it, because only refused connects,
 * which are its own failure, ever eject it.
 */
export function ejectionKey(clusterName: string, endpoint: EndpointState): string {
  const location = endpoint.tunnel === undefined ? `${endpoint.address}:${endpoint.port}` : `tunnel ${endpoint.tunnel.instance}`;
  return endpoint.viaGateway ? `gateway ${location}` : `${clusterName} ${location}`;
}
