import type { Protocol } from '../../core/model/index.ts';

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
}

/** The mTLS end of one VM. Authorisation comes from the Authz resource `NAMESPACE/SERVICE`; without it nobody may call. */
export interface Inbound {
  /** Replaces what is served; running connections go on. */
  serve(services: readonly InboundService[]): void;
  /** Usually port 15006. Rejects with MeshError PORT_TAKEN. */
  listen(listener: { readonly address: string; readonly port: number }): Promise<OpenPort>;
  /** Stops accepting, finishes what runs, and after `deadlineMs` forces the rest. */
  drain(deadlineMs: number): Promise<void>;
  /** Idempotent. */
  dispose(): Promise<void>;
}

export interface OutboundListener {
  readonly address: string;
  readonly port: number;
  /** `outbound|PORT||HOST`; endpoints come from the LoadAssignment of that name, and may come later. */
  readonly clusterName: string;
  readonly protocol: Protocol;
}

/** Ports that local programs dial to reach mesh services. */
export interface Outbound {
  /** Rejects with MeshError PORT_TAKEN, whose cause is the bind error. */
  listen(listener: OutboundListener): Promise<OpenPort>;
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
