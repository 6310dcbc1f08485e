import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { ListenerKeeper } from '../../core/listeners/index.ts';
import type { EndpointState } from '../state/types.ts';
import type { CalledEndpoint } from './called-endpoint.ts';
import type {
  AttemptFailure,
  ConnectionEnds,
  ConnectionReport,
  ConnectionSource,
  DeliveredConnection,
  EndpointAttempt,
  PeerIdentity,
} from './connection-contract.ts';
import type { Latency } from './latency-contract.ts';
import type { EngineTables } from './tables-contract.ts';

export type * from './connection-contract.ts';
export { lookedAt } from './connection-contract.ts';
export type * from './latency-contract.ts';
export type * from './tables-contract.ts';
export { ejectionKey } from './tables-contract.ts';

/**
 * What moves bytes. TypeScript decides (routes, balancing policy, authorisation, identity) and writes its decisions as plain
 * immutable tables; an engine looks them up for each new connection and calls nobody per byte. Two engines keep to this
 * file and pass one suite, test/contract/engine: `node`, which is always there, and `native`, where it is built.
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
  /**
   * A connection that another engine accepted, on its listener of this spec, paused: it is this one's from here, as if it had been accepted here.
   * `told`: its PROXY header has been read, and these are its ends.
   */
  adopt(listener: EngineListenerSpec, socket: Socket, told?: ConnectionEnds): void;
  /**
   * Connects to one endpoint, and proves it when it has `tls`. Resolves with `ok: false` for every way that fails. The
   * returned stream belongs to the caller, who must end or destroy it. Ends early when `signal` aborts (`aborted`).
   */
  dial(request: DialRequest): Promise<DialResult>;
  counters(): EngineCounters;
  /** How long the steps of connections took; of clusters that left the tables it may say nothing. */
  latencies(): readonly Latency[];
  /** Of the places that connections lead to which `onDial` is not told of. Absent: it is told of all. */
  places?(): readonly PlaceNews[];
  /** The machine of this endpoint has vanished: such connections to its address end. With `own`, those alone that were made from another address than these, which this machine has no more. */
  giveUp?(endpoint: EndpointState, own?: ReadonlySet<string>): void;
  /**
   * Memory is short, as `detail` says: new callers are refused (`memory-short`, flag OM), and the native engine reads less at once. Undefined: it is not any more. Whoever is
   * served stays. Idempotent.
   */
  overload(detail: string | undefined): void;
  /**
   * Memory is about to end, and the process with it: byte streams that keep 8 KB and more for a reader who has taken nothing for half a second are broken off (`memory-short`,
   * flag OM), those first that the most is kept for, until about so many bytes are free; fewer where there are none. What HTTP keeps, and what is not carried on yet, is not looked at.
   */
  relieve(bytes: number): void;
  /** Closes listeners, lets connections finish, and destroys what is left after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void>;
  /** Destroys everything at once. Idempotent. */
  dispose(): Promise<void>;
}

export interface EngineOptions {
  readonly limits: EngineLimits;
  readonly clock: Clock;
  /** That move bytes, 1 to 64; an engine of one thread does not look. Default: as many as there are CPUs, or as the container's quota lets run at once. */
  readonly threads?: number;
  /** Whether TLS sessions are resumed, by engines that do at all. Default true. */
  readonly resumeTls?: boolean;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Who callers of plain listeners are, for rules that ask. Default nobody. */
  readonly caller?: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> };
  /** A connection whose bytes must be seen (`deliver`): the receiver owns the stream from here. */
  readonly deliver: (connection: DeliveredConnection) => void;
  /** Each accepted connection is in one call, when it has ended, delivered ones too; a call may tell of several (`count`). */
  readonly onConnection: (report: ConnectionReport) => void;
  /** Each connection that is carried on to an endpoint is in one call, when that begins; `onConnection` tells of its end. */
  readonly onForward?: (report: ConnectionReport) => void;
  /** One call for each peer that a handshake of mTLS has proven, on either side. Default nobody asks. */
  readonly onPeer?: (peer: PeerIdentity) => void;
  /** One call for each attempt at an endpoint; feeds outlier detection. */
  readonly onAttempt: (attempt: EndpointAttempt) => void;
  /** One call for each TCP connection to an endpoint, when it begins; feeds silence detection, which may destroy it. */
  readonly onDial?: (endpoint: EndpointState, socket: Socket) => void;
  /** A stream to an endpoint that has `tunnel`; undefined: no tunnel of it is held. Absent: none ever is. */
  readonly openTunnel?: (endpoint: EndpointState) => Duplex | undefined;
  /**
   * The engine has run short of something: `descriptors-exhausted` (memory for sockets, too), `ports-exhausted`, `too-many-connections`, `too-many-from-source`,
   * `memory-short`; or has a
   * defect: `internal`. Of each at most once a second for each of its threads. Callers that no descriptor was left for the node engine refuses
   * without a word, and looks once a second whether one is left. Default nobody asks.
   */
  readonly onTrouble?: (what: string, detail: string) => void;
  /** Asked before each connection to an endpoint; the returned function is called when it has closed. Undefined: no more, `overflow`. */
  readonly admit?: (clusterName: string, always: boolean) => (() => void) | undefined;
  /**
   * Asked for each connection of a plain listener, and of a captured one that goes to one, before anything is read of it. `destination`: as its caller
   * sees it. Absent: this engine carries all. Must not reject.
   */
  readonly carrier?: (socket: Socket, destination: ConnectionSource) => Promise<Carrier>;
  /** Default: this process alone. */
  readonly listeners?: ListenerKeeper;
  /** Where a connection was to go that a packet filter led here; undefined: it came by itself. Default: all have. The native engine asks the kernel itself, of what it accepts, where this is given. */
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
  /** A byte stream at an `exposed` listener that takes both is taken for plaintext when nothing comes for so long: its server speaks first. Default 1,000 ms. */
  readonly quietMs?: number;
  /** From then to the end of a TLS handshake in which the engine is an end. Default 10,000 ms. */
  readonly handshakeTimeoutMs: number;
  /** No byte in either direction. Default 1 h, as Envoy's tcp_proxy; 0: never. */
  readonly idleTimeoutMs: number;
  /** One direction has ended and the other is silent. Default 5 min; 0: as idleTimeoutMs. */
  readonly halfCloseTimeoutMs: number;
  /** Endpoints tried for one connection. Default 3. */
  readonly maxAttempts: number;
}

export interface EngineListenerSpec {
  /** Unique in the engine; names its PlainRule, IngressRule or CaptureRule. */
  readonly name: string;
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  readonly kind: 'sni' | 'plain' | 'ingress' | 'captured' | 'exposed';
  /**
   * Connections come through a proxy, which says first who called, by version 1 or 2 of the PROXY protocol: that is whose they are, in rules, limits,
   * logs and to endpoints. `trusted`: CIDRs of such proxies; from elsewhere, and without a header, nobody is taken. A header may have 4,096
   * bytes and `helloTimeoutMs`. Absent: connections come by themselves.
   */
  readonly acceptProxy?: { readonly trusted: readonly string[] };
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

/** One address and port, whatever clusters lead there. */
export interface PlaceNews {
  readonly endpoint: EndpointState;
  /** Bytes that have come from there, since whenever. */
  readonly heard: number;
  /** Something was sent there, and nothing has come since; or it is being connected. */
  readonly waiting: boolean;
}

export interface EngineCounters {
  readonly open: number;
  /** xDS clusters that open connections have been led to. */
  readonly inUse: ReadonlySet<string>;
  readonly accepted: number;
  /** By `ConnectionReport.reason`. */
  readonly ended: ReadonlyMap<string, number>;
}
