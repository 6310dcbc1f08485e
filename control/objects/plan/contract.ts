import type { ServiceKey } from '../../../core/model/index.ts';
import type { PlaintextCall, Policy } from '../../policy/index.ts';
import type { SnapshotInputs } from '../../snapshot/index.ts';
import type { ObjectView } from '../contract.ts';
import type { ClientFacts } from './client-facts.ts';

/** Requests that went through the mesh in the last hour, as telemetry has them. */
export interface TrafficSeen {
  /** Undefined: not known. */
  flows(): readonly SeenFlow[] | undefined;
}

export interface SeenFlow {
  /** As its SVID proved it; `principal` as core/authz has it: without the scheme. */
  readonly source: { readonly principal: string; readonly cluster: string };
  readonly destination: ServiceKey;
  readonly requests: number;
  /** Unix ms. */
  readonly lastAt: number;
}

/** What a plan is made from. */
export interface PlanInputs {
  /** As served now; policies and traffic are made again from the two views. */
  readonly inputs: SnapshotInputs;
  readonly now: ObjectView;
  readonly then: ObjectView;
  readonly policiesOf: (view: ObjectView) => readonly Policy[];
  readonly clients: readonly ClientFacts[];
  /** Of this control plane: services are seen from there where nobody is connected. */
  readonly network: string;
  /** Peers of this cluster, which get its objects of scope mesh. */
  readonly peers: readonly string[];
  /** Undefined: not known. */
  readonly flows: readonly SeenFlow[] | undefined;
  /** Who called in the clear within the last hour. */
  readonly plaintext: readonly PlaintextCall[];
}
