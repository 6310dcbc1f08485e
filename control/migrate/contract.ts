import type { DrainEndpoint, GateStatus, MigrationEvent, MigrationPhase, MigrationSample, SideFigures } from '../../core/admin/index.ts';
import type { MigrationSpec } from '../../core/config/index.ts';
import type { LatencyHistogram } from '../../core/telemetry/index.ts';

/**
 * What is durable of one migration, at `migrations/state/NAMESPACE/NAME`; written by its leader alone, fenced, one write a transition. The weights that
 * callers follow are a pure function of it (the TrafficShift), so that a transition and its weight are one write and never two.
 */
export interface MigrationState {
  readonly version: 1;
  readonly namespace: string;
  readonly name: string;
  /** One more at each start; 0: only reserved. */
  readonly run: number;
  /** As it was when this run was started: a change of the object counts from the next start. */
  readonly spec: MigrationSpec;
  /** Mesh cluster that owns it. */
  readonly cluster: string;
  readonly phase: MigrationPhase;
  /** Index into spec.steps; -1 before the first. */
  readonly step: number;
  /** Percent to the new side. */
  readonly weight: number;
  readonly mirrorPercent: number;
  /** Unix ms, for people: no decision rests on them. */
  readonly createdAt: number;
  readonly startedAt?: number;
  readonly phaseAt: number;
  readonly endedAt?: number;
  readonly paused?: { readonly by: string; readonly at: number; readonly reason: string };
  readonly hold?: { readonly kind?: HoldKind; readonly reason: string; readonly at: number };
  readonly rollback?: { readonly reason: string; readonly at: number; readonly fromWeight: number };
  /** Indexes of steps that may begin, with who said so. */
  readonly approvals: readonly { readonly step: number; readonly by: string; readonly at: number }[];
  readonly baseline?: SideFigures & {
    readonly latency: readonly (readonly [bucket: number, count: number])[];
    /** The most requests at once for each healthy endpoint, in one interval. */
    readonly capacityPerEndpoint: number;
  };
  readonly nativeName: 'none' | 'original' | 'switched';
  readonly drain: readonly DrainEndpoint[];
  readonly steps: readonly StepRecord[];
  /** At most 500, the oldest after `started` go first. */
  readonly events: readonly MigrationEvent[];
  /** Ended, and no weight of it is needed any more: the old side had no endpoint, or another migration has the service since. */
  readonly released?: boolean;
  /** Among the migrations of its service, the highest of which has its traffic; given when a run begins to measure. Absent: none ever did. */
  readonly turn?: number;
}

/** Why it does not go on by itself; `old-side`: it should go back and cannot. */
export type HoldKind = 'old-side' | 'new-side' | 'partition' | 'no-data' | 'freeze' | 'drain';

export interface StepRecord {
  readonly weight: number;
  readonly begunAt: number;
  readonly endedAt?: number;
  readonly outcome: 'running' | 'passed' | 'breach' | 'rolled-back' | 'aborted';
  readonly from: SideFigures;
  readonly to: SideFigures;
  /** As they were when the step ended. */
  readonly gates: readonly GateStatus[];
}

/** Sums of one side since its meter was made; they never fall, and differences of two are what happened in between. */
export interface SideCounts {
  readonly requests: number;
  /** Requests answered 5xx, or not at all; gRPC calls by their own status. */
  readonly errors: number;
  /** Byte streams that were begun, or tried. */
  readonly connections: number;
  /** Byte streams that could not be made. */
  readonly connectionErrors: number;
  readonly latency: LatencyHistogram;
  readonly latencySumMs: number;
}

/** What one side consists of, as the catalog has it. */
export interface SidePlaces {
  /** Of its source; `unknown`: never synced, or it says nothing of this service. */
  readonly state: 'live' | 'stale' | 'unknown';
  /** ms since its data was known to be current. */
  readonly ageMs: number;
  readonly endpoints: number;
  readonly healthy: number;
}

/** What is known at one moment. Made by effects, judged by pure functions. */
export interface Observation {
  readonly from: SideCounts;
  readonly to: SideCounts;
  readonly places: { readonly from: SidePlaces; readonly to: SidePlaces };
  readonly proxies: {
    /** That called the service in the last hour, or are connected and may. */
    readonly callers: number;
    /** Callers of which no report came in the last three report times. */
    readonly silent: readonly string[];
    /** Clients that have not acknowledged the weight in force. */
    readonly behind: readonly string[];
    /** Callers that no replica could tell it to: they act by what they were told before. */
    readonly missing: readonly string[];
    /** All callers by name, sorted: for other replicas, and for whoever leads next. */
    readonly known: readonly string[];
  };
  /** By gate: what Prometheus or a hook said; absent: not asked yet. */
  readonly external: ReadonlyMap<string, ExternalValue>;
  /** Of the old side; absent: not looked at in this phase. */
  readonly drain?: readonly DrainEndpoint[];
  readonly nativeName: 'none' | 'original' | 'switched';
}

export type ExternalValue =
  | { readonly kind: 'value'; readonly value: number }
  | { readonly kind: 'pass' | 'breach'; readonly reason: string }
  /** Never success: unreachable, misnamed, empty, more than one sample, too old, a clock that differs. */
  | { readonly kind: 'no-data'; readonly reason: string };

/** What people ask for; `by` as the audit log names them. */
export type MigrationCommand =
  | { readonly type: 'start' | 'abort'; readonly by: string }
  | { readonly type: 'pause'; readonly by: string; readonly reason: string }
  | { readonly type: 'resume'; readonly by: string }
  | { readonly type: 'rollback'; readonly by: string; readonly reason: string }
  /** While it drains: somebody answers for the old side, of which not all is known to be safe. */
  | { readonly type: 'finish'; readonly by: string; readonly reason: string }
  | { readonly type: 'approve'; readonly by: string; readonly step: number };

/** Counts traffic of one service by side, from the reports of proxies. One for each migration that is watched. */
export interface Meter {
  /** Sums since it was made. */
  read(): { readonly from: SideCounts; readonly to: SideCounts; readonly callers: readonly CallerCounts[] };
  close(): void;
}

export interface CallerCounts {
  /** Principal, or the gateway that it came by. */
  readonly source: string;
  readonly cluster: string;
  /** Requests and connections. */
  readonly from: number;
  readonly to: number;
}

/** One value of a gate that is not our own telemetry's. Never rejects: what goes wrong is `no-data`. Ends within the gate's timeout. */
export interface ExternalGate {
  ask(question: ExternalQuestion, signal: AbortSignal): Promise<ExternalValue>;
}

export interface ExternalQuestion {
  readonly namespace: string;
  readonly migration: string;
  readonly service: string;
  readonly weight: number;
  readonly step: number;
  /** Since the step began, ms. */
  readonly intervalMs: number;
}

/** What is kept of a run for its report, beside its state; lost with the process that measured it. */
export interface RunSamples {
  readonly samples: readonly MigrationSample[];
  readonly callers: readonly CallerCounts[];
}
