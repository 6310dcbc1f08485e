import type { EndpointGroup, FlowCounts, Reporter } from '../../../core/telemetry/index.ts';

/** Where requests went. */
export interface Destination {
  /** Empty: no service of the mesh that is known here. */
  readonly namespace: string;
  readonly name: string;
  /** As the xDS cluster says it; empty where the proxy answered itself. */
  readonly host: string;
  /** Service port; 0: unknown. */
  readonly port: number;
  readonly subset: string;
}

/** What counts are kept apart by. */
export interface TrafficKey {
  readonly reporter: Reporter;
  /** Without the scheme; empty: unknown. */
  readonly source: { readonly principal: string; readonly cluster: string };
  readonly route: string;
  readonly destination: Destination;
  readonly group: EndpointGroup;
}

/** Sums of one key over the time asked for. */
export interface TrafficFlow {
  readonly key: TrafficKey;
  /** Those that were the least recent when there were too many: of nobody in particular. */
  readonly folded: boolean;
  readonly counts: FlowCounts;
  /** Unix ms, to the slot. */
  readonly firstAt: number;
  readonly lastAt: number;
}

export interface TrafficLimits {
  /** Told apart at once. Default 20,000; of one reporter 4,000. */
  readonly keys: number;
  readonly keysOfReporter: number;
  /** About what all of it takes of memory. Default 64 MiB. */
  readonly bytes: number;
  /** ms that are kept. Default 1 h, in slots of 30 s. */
  readonly keptMs: number;
  readonly slotMs: number;
}

export const defaultTrafficLimits: TrafficLimits = {
  keys: 20_000,
  keysOfReporter: 4_000,
  bytes: 64 * 1024 * 1024,
  keptMs: 3_600_000,
  slotMs: 30_000,
};

export interface TrafficStats {
  readonly keys: number;
  readonly bytes: number;
  /** Keys that were counted together since the start, because there were too many. */
  readonly folded: number;
  /** Unix ms: nothing before this can be known. */
  readonly since: number;
}
