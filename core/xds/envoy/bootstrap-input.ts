import type { SpiffeId } from '../../model/index.ts';
import type { NodeClaims } from '../claims.ts';
import type { ClientKind } from '../node.ts';
import type { Labels } from '../node-labels.ts';

/** Where Envoy's admin interface listens: it can end Envoy and shows its configuration, so a socket of the owner's, or loopback. */
export type EnvoyAdminAddress = { readonly path: string } | { readonly address: string; readonly port: number };

/** What one Envoy is told at its start. Holds no secret, and nor does the bootstrap: keys come over `agentSocket`. */
export interface EnvoyBootstrapInput {
  readonly kind: ClientKind;
  readonly identity: SpiffeId;
  /** Tells Envoy from other clients of this identity. */
  readonly instance: string;
  readonly network: string;
  /** region/zone/subzone; may be empty. */
  readonly locality: string;
  /** Of the workload. Default none. */
  readonly labels?: Labels | undefined;
  readonly claims: NodeClaims;
  /** Mesh cluster of the control plane, which no other cluster's may stand in for. */
  readonly cluster: string;
  /** HOST:PORT of control planes, at least one. */
  readonly controlAddresses: readonly string[];
  /** Unix socket on which the agent or gateway of this node serves secrets. */
  readonly agentSocket: string;
  readonly admin: EnvoyAdminAddress;
  /** `agent`: the node's agent makes them, since it alone knows the addresses that it gave out. */
  readonly listenersFrom: 'control' | 'agent';
  readonly transport: 'delta' | 'sotw';
  /** A packet filter leads connections here, and those that are none of the mesh's go on to where they were to go. Default false. */
  readonly passthrough?: boolean;
  /** Connections of callers, over all listeners; more are refused. Default 10,000, as our own proxy. */
  readonly maxConnections?: number;
}
