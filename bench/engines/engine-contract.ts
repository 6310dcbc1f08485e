import type { Figure } from '../measure.ts';
import type { ContenderName, ProxyPlan } from './contract.ts';
import type { Load, Seen } from './round.ts';
import type { Wanted } from './wanted.ts';

export interface EngineCase {
  readonly name: string;
  readonly about: string;
  /** As tables begin their lines. */
  readonly title: string;
  readonly plan: ProxyPlan;
  readonly load: Load;
  readonly wanted: readonly Wanted[];
  /** Ours with another plan beside: what one property of the plan costs. `atMost` times its CPU is the native engine's goal. */
  readonly beside?: { readonly label: string; readonly plan: ProxyPlan; readonly atMost: number };
  /** Of ours; the first has the goals. Default: native and node. */
  readonly ours?: readonly ContenderName[];
  /** Default: all. */
  readonly peers?: readonly ContenderName[];
}

/** Of one contender. */
export type Figured = Readonly<Record<Seen, Figure>>;
/** By the contender's label. */
export type Figures = ReadonlyMap<string, Figured>;
export const bothOurs: readonly ContenderName[] = ['native', 'node'];
export const allPeers: readonly ContenderName[] = ['HAProxy', 'nginx', 'Envoy'];
