import type { Duplex } from 'node:stream';
import type { Protocol } from '../../core/model/index.ts';
import type { EndpointState } from '../state/types.ts';
import type { MeshEnd } from './tables-contract.ts';

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

/**
 * `connect`: TCP was refused, unreachable or timed out. `tls`: the handshake broke, or the server did not prove what it must.
 * `early-close`: it ended before a byte came back. `local-origin`: the mesh
 * end there answered that its application is down. `overflow`: the cluster has as many connections as it may; nobody was asked.
 * `shortage`: this machine has no descriptor, memory or local port left to ask it with; it says nothing of the endpoint.
 */
export type AttemptFailure = 'connect' | 'tls' | 'early-close' | 'local-origin' | 'aborted' | 'overflow' | 'shortage';

export interface EndpointAttempt {
  readonly clusterName: string;
  readonly endpoint: EndpointState;
  readonly result: 'ok' | AttemptFailure;
}

export interface ConnectionSource {
  readonly address: string;
  readonly port: number;
}

/** Who connected, and to what. */
export interface ConnectionEnds {
  readonly source: ConnectionSource;
  readonly destination: ConnectionSource;
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
  /** `TLSv1.3` or `TLSv1.2`, where the socket does not say itself. */
  readonly tlsVersion?: string;
  /** By a rule of that mode: no request is in it. */
  readonly tunnel?: true;
  /** It comes from outside the mesh, by this scheme: what it says of itself that only proxies may say is not believed. */
  readonly outside?: 'http' | 'https';
  readonly end?: MeshEnd;
  /** It came in the clear to a service's end on this service port: nobody has proven anything. Absent: by mTLS, or to no end. */
  readonly inTheClear?: number;
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

/**
 * What became of a connection; or, where they come faster than it is worth describing each, of `count` that were alike (listener, endpoint,
 * reason): bytes, attempts and times are sums then, the rest is of the first of them. Those who are let in in the clear at an `exposed` listener are
 * told of one by one, and those who are refused there without an identity by address.
 */
export interface ConnectionReport {
  /** Absent: one. */
  readonly count?: number;
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
