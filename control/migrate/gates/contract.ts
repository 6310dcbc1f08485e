import type { GateStatus } from '../../../core/admin/index.ts';
import type { MigrationState, Observation, SideCounts } from '../contract.ts';

/** What both sides did over some time. */
export interface Window {
  readonly elapsedMs: number;
  readonly from: SideCounts;
  readonly to: SideCounts;
}

/** All that gates are judged by, at one moment. */
export interface GateView {
  readonly confidence: number;
  readonly intervalMs: number;
  readonly weight: number;
  /** Since the last look, and since the step began: a breach in either is one, and only the second can pass. */
  readonly interval: Window;
  readonly step: Window;
  /** Since the new side's counts last rose; undefined: they have not, in this step. */
  readonly quietMs?: number;
  readonly baseline?: MigrationState['baseline'];
  readonly places: Observation['places'];
  readonly proxies: Observation['proxies'];
  readonly external: Observation['external'];
}

/** What there is to say of a gate, its name, type and limit apart. */
export type Judgement = Omit<GateStatus, 'name' | 'type' | 'limit' | 'unit'>;
export type Verdict = GateStatus['verdict'];
