import type { Socket } from 'node:net';
import type { SvidSource } from '../../core/identity/index.ts';
import type { Protocol } from '../../core/model/index.ts';
import type { TcpEnd } from '../../core/os/index.ts';
import type { ProxyProtocol } from '../../core/proxy-protocol.ts';
import type { CountedContext } from '../counted-context.ts';
import type { DataPlane } from '../data-plane.ts';
import type { PlaintextCounter } from './plaintext-counter.ts';

/** One service of this VM, as its mTLS end serves it. */
export interface InboundService {
  readonly namespace: string;
  readonly service: string;
  /** Every name callers may ask for: `NAME.NAMESPACE.SUFFIX`, and the clusterset name. */
  readonly hosts: readonly string[];
  /** The service port, which is in the SNI. */
  readonly port: number;
  readonly protocol: Protocol;
  /** Where the app listens; 127.0.0.1 unless said. */
  readonly appAddress?: string;
  readonly appPort: number;
  /** Connections to the app begin with who called. Default: they do not. */
  readonly proxyProtocol?: ProxyProtocol | undefined;
  /** Whether requests say who called, in x-forwarded-client-cert. Default sanitize_set: they do. */
  readonly forwardClientCert?: 'sanitize_set' | 'sanitize' | undefined;
  /** Where callers without mesh come, as its PeerAuthentication says. Default: nowhere. */
  readonly expose?: PlainPlace | undefined;
  /** Whose SVID callers are shown; the context's unless said. */
  readonly identity?: SvidSource;
}

/** An address of this machine, and a port there. */
export interface PlainPlace {
  readonly address: string;
  readonly port: number;
}

/** The mTLS end of one VM. Authorisation comes from the Authz resource `NAMESPACE/SERVICE`; without it nobody may call. */
export interface Inbound {
  /** Replaces what is served; running connections go on. */
  serve(services: readonly InboundService[]): void;
  /** Usually port 15006. Rejects with MeshError PORT_TAKEN. */
  listen(listener: { readonly address: string; readonly port: number }): Promise<OpenPort>;
  /** Of a service that is served. Rejects with MeshError PORT_TAKEN, whose cause is the bind error. */
  expose(place: PlainPlace): Promise<OpenPort>;
  /** Who called the exposed ports, and whether in the clear. */
  readonly plaintext: Pick<PlaintextCounter, 'changes' | 'report'>;
  /** What moves its bytes, and why it is not the native engine where that was asked for. Absent: an Envoy does. */
  readonly engine?: DataPlane['engine'];
  /** Stops accepting, finishes what runs, and after `deadlineMs` forces the rest. */
  drain(deadlineMs: number): Promise<void>;
  /** Idempotent. */
  dispose(): Promise<void>;
}

/** As whom programs of this machine call: by the connection, one of several identities. */
export interface OutboundCallers {
  /** By the identity's name. What one of them opens, none of the others uses. */
  readonly contexts: ReadonlyMap<string, CountedContext>;
  /** Whose a connection is: the context's own, another's, or nobody's, and why. `destination`: as its caller sees it. Must not reject. */
  readonly callerOf: (socket: Socket, destination: TcpEnd) => Promise<'own' | { readonly identity: string } | { readonly refused: string }>;
}

export interface OutboundListener {
  readonly address: string;
  readonly port: number;
  /** `outbound|PORT||HOST`; endpoints come from the LoadAssignment of that name, and may come later. */
  readonly clusterName: string;
  readonly protocol: Protocol;
  /** Nothing is bound for it: a packet filter leads its connections to the port of `capture`. Default false. */
  readonly captured?: boolean;
}

/** The port to which a packet filter leads connections of local programs. */
export interface CaptureListener {
  readonly address: string;
  readonly port: number;
  /** CIDRs of which addresses that no listener has are refused; connections to others go on to where they were to go. */
  readonly closed: readonly string[];
}

/** Ports that local programs dial to reach mesh services. */
export interface Outbound {
  /** Rejects with MeshError PORT_TAKEN, whose cause is the bind error. */
  listen(listener: OutboundListener): Promise<OpenPort>;
  /** For listeners that are `captured`. Rejects with MeshError PORT_TAKEN. */
  capture(listener: CaptureListener): Promise<OpenPort>;
  /** xDS clusters that open connections lead to, those of closed listeners included. */
  inUse(): ReadonlySet<string>;
  drain(deadlineMs: number): Promise<void>;
  /** Idempotent. */
  dispose(): Promise<void>;
}

export interface OpenPort {
  readonly address: string;
  readonly port: number;
  /** Stops accepting; running connections go on. Idempotent. */
  close(): Promise<void>;
}
