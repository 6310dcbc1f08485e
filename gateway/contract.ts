import type { Registry } from 'prom-client';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { GatewayStatus, ListenAddress } from './admin/index.ts';
import type { DataPlaneLimits } from './context.ts';

/** What a gateway is given besides its options. All of it has a default that a real machine wants. */
export interface GatewayDeps {
  readonly clock?: Clock;
  /** [0, 1). */
  readonly random?: () => number;
  /** Default: JSON lines on standard error. */
  readonly log?: Log;
  /** One JSON-ready object for each request or connection. Default: JSON lines on standard output. */
  readonly accessLog?: (entry: Readonly<Record<string, unknown>>) => void;
  /** Default: one of its own. Two gateways of one process need two. */
  readonly metrics?: Registry;
  readonly limits?: DataPlaneLimits;
}

/** A gateway that serves. */
export interface RunningGateway {
  /** Where other networks come in. An ingress gateway binds nothing there. */
  readonly eastWest: ListenAddress;
  readonly health: ListenAddress;
  readonly metrics: ListenAddress;
  status(): GatewayStatus;
  /**
   * Tells the control plane, stops accepting, lets what runs finish within `drainMs`, forces the rest, ends. Idempotent;
   * aborting the signal of the start does the same.
   */
  drain(): Promise<void>;
  /** Resolves when everything is closed; rejects with MeshError FENCED when a newer start of this instance has taken over. */
  readonly ended: Promise<void>;
}
