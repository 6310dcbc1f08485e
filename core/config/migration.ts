/** Migration and TrafficShift, `isthmus.dev/v1alpha1`, after parsing: defaults filled in, times in ms, shares in [0, 1]. */

/** One side of a migration: all endpoints of a service that one source knows. */
export interface MigrationSide {
  /** Mesh cluster; empty: the one that owns the object. */
  readonly cluster: string;
  /** Source id there, such as `consul/dc1`. */
  readonly registry: string;
}

/** A service moves from one side to another, step by step, and back by itself. One at a time of each service. */
export interface MigrationSpec {
  /** In the object's own namespace. */
  readonly service: string;
  readonly from: MigrationSide;
  readonly to: MigrationSide;
  /** Copies of requests to the new side before it has a share. Absent: none. */
  readonly mirror?: { readonly percent: number; readonly bakeMs: number };
  /** Weights rise strictly, and the last is 100. At least one. */
  readonly steps: readonly MigrationStep[];
  /** Between two looks at the gates: a breach is acted on within one. At least 1 s; default 15 s. */
  readonly intervalMs: number;
  /** How long the side that is left is measured before the first step; default 1 min. */
  readonly baselineMs: number;
  /** Of every comparison and estimate, (0.5, 1); default 0.95. */
  readonly confidence: number;
  /** All must pass, at every step. At least one of them watches traffic. */
  readonly gates: readonly MigrationGate[];
  /** A gate has no data, or too little, for longer than this beyond its step's bake time. */
  readonly onNoData: { readonly action: 'hold' | 'rollback'; readonly afterMs: number };
  /** The sides, or those who measure them, cannot be reached for longer than this. */
  readonly onPartition: { readonly action: 'hold' | 'rollback'; readonly afterMs: number };
  readonly drain: {
    /** Streams that are open on the old side are waited for this long; default 10 min. */
    readonly timeoutMs: number;
    /** Without any connection from outside the mesh, before it is said to be safe; default 10 min. */
    readonly bakeMs: number;
  };
  /** Callers without a sidecar move too: gateways are added under the service's native name in this registry. Absent: they stay. */
  readonly nativeName?: {
    readonly registry: string;
    /** When the step with this weight, or more, begins. */
    readonly atWeight: number;
  };
  /** NAMESPACE/NAME of Migrations of this cluster that must be done first. */
  readonly dependsOn: readonly string[];
  /** Told of every event; must answer 2xx, but nothing waits for them. */
  readonly webhooks: readonly MigrationWebhook[];
}

export interface MigrationStep {
  /** Percent of requests (HTTP) or connections (TCP) to the new side; multiples of 0.1. */
  readonly weight: number;
  /** How long the gates must hold at this weight before the next. */
  readonly bakeMs: number;
  /** It begins only once somebody has said so. */
  readonly approval: boolean;
}

interface GateBase {
  /** Unique in the object; for status, metrics and reports. */
  readonly name: string;
}

/** Judged of the moving side alone, unless it says otherwise. Limits are inclusive. */
export type MigrationGate =
  /** Share of requests that failed (5xx, no answer, or a gRPC status that its server is to blame for) or of connections that could not be made. */
  | (GateBase & {
      readonly type: 'error-rate';
      readonly max: number;
      /** Above the side that is left, at the same time. */
      readonly maxIncrease?: number;
      /** Absent: as many as prove `max` at the confidence if none fails, at least 20 and at most 3,000. */
      readonly minSamples?: number;
    })
  | (GateBase & {
      readonly type: 'latency';
      /** (0, 100). */
      readonly percentile: number;
      readonly maxMs?: number;
      /** Times that of the side that is left, at the same time, or of the baseline where that has too few requests. */
      readonly maxRatio?: number;
      /** Absent: as many as an estimate of the percentile needs at the confidence. */
      readonly minSamples?: number;
    })
  /** Requests and connections a second to both sides: less is no traffic to judge by. */
  | (GateBase & { readonly type: 'request-rate'; readonly min: number })
  /** In flight for each healthy endpoint, against the most that the side that is left was seen to carry for each of its own. */
  | (GateBase & { readonly type: 'saturation'; readonly max: number })
  | (GateBase & {
      readonly type: 'prometheus';
      /** http(s)://HOST:PORT[/PATH] */
      readonly url: string;
      /** PromQL that gives one sample. `$service`, `$namespace`, `$weight` and `$interval` stand for what they say. */
      readonly query: string;
      readonly min?: number;
      readonly max?: number;
      readonly tokenFile?: string;
      readonly caFile?: string;
      readonly timeoutMs: number;
    })
  /** POST with the status as JSON; 2xx passes, 4xx with {"rollback": true} is a breach, all else no data. */
  | (GateBase & {
      readonly type: 'http';
      readonly url: string;
      readonly tokenFile?: string;
      readonly caFile?: string;
      readonly timeoutMs: number;
    });

export interface MigrationWebhook {
  readonly url: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
}

/**
 * How the traffic of one service is shared between two sides, now. Written by the control plane that runs the Migration of the same name, never
 * applied by people; replicated, so that callers in every cluster do the same.
 */
export interface TrafficShiftSpec {
  /** In the object's own namespace. */
  readonly service: string;
  /** `cluster` is never empty here. */
  readonly from: MigrationSide;
  readonly to: MigrationSide;
  /** Percent to `to`, 0-100, multiples of 0.1; the rest stays. */
  readonly weight: number;
  /** Percent of requests that are copied to `to`; 0: none. */
  readonly mirrorPercent: number;
}

/** Subsets that a TrafficShift makes of its service; the names are in telemetry and in SNI. */
export const shiftSubset = { from: 'isthmus-from', to: 'isthmus-to' } as const;
