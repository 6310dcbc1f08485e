import type { Registry } from 'prom-client';
import type { Clock } from '../core/clock.ts';
import type { SvidSource } from '../core/identity/index.ts';
import type { ListenerKeeper } from '../core/listeners/index.ts';
import type { EngineLimits, EngineOptions } from './engine/contract.ts';
import type { EngineChoice } from './engine/open-engine.ts';
import type { MemoryGuard } from './memory-guard.ts';
import type { DataPlaneState } from './state/types.ts';

/** What every part of a data plane is given; made once by whoever composes it (a gateway's main, a VM agent's main). */
export interface DataPlaneContext {
  readonly state: StateView;
  readonly identity: SvidSource;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly limits: DataPlaneLimits;
  /** See EngineOptions; asked of connections that come to a port of `capture`. */
  readonly originalDestination?: EngineOptions['originalDestination'];
  /** What moves the bytes. Default `node`. */
  readonly engine?: EngineChoice;
  /** Of the engine; see EngineOptions. */
  readonly engineThreads?: number;
  /** See EngineOptions. */
  readonly resumeTls?: boolean;
  /** The engine has run short of something; for the log. Default nobody is told. */
  readonly onTrouble?: EngineOptions['onTrouble'];
  /** Tells the engine when memory is short. Default: nobody does. */
  readonly memory?: Pick<MemoryGuard, 'guard'>;
  /** Istio's metrics are registered here, once per registry. */
  readonly metrics: Registry;
  /** Who opens its listening sockets. Default: this process alone. */
  readonly listeners?: ListenerKeeper;
  /** One JSON-ready object for each request or connection. */
  readonly accessLog: (entry: Readonly<Record<string, unknown>>) => void;
  /** Who this data plane is in metrics: `source_cluster` or `destination_cluster`, `gateway` or `vm`. */
  readonly node: {
    readonly cluster: string;
    readonly instance: string;
    /** Of the workload; rules that ask who calls compare them. Default none. */
    readonly labels?: Readonly<Record<string, string>>;
  };
}

/** The newest good configuration. */
export interface StateView {
  readonly current: DataPlaneState;
  /** Called after each change; returns what ends it. */
  subscribe(listener: () => void): () => void;
}

export interface DataPlaneLimits {
  readonly engine: EngineLimits;
  readonly http: HttpLimits;
}

export interface HttpLimits {
  /** All header lines of one message. Default 65,536 bytes (Envoy's 60 KiB, rounded up); more is answered 431. */
  readonly maxHeaderBytes: number;
  /** Default 100, as Envoy; more is answered 431. */
  readonly maxHeaders: number;
  /** From accept, or from the end of the last exchange's headers, to whole headers. Default 15,000 ms. */
  readonly headersTimeoutMs: number;
  /** Between exchanges on one connection. Default 60,000 ms. */
  readonly keepAliveTimeoutMs: number;
  /** No byte in either direction of one exchange; 504 when nothing was answered yet. Default 5 min, as Envoy's stream idle timeout. */
  readonly idleTimeoutMs: number;
  /** A request body up to this size is kept, so that an idempotent request can be sent again. Default 65,536 bytes. */
  readonly maxReplayBytes: number;
  /** Endpoints tried for one request. Default 3. */
  readonly maxAttempts: number;
  /** Idle upstream connections kept for one endpoint and identity. Default 256, each for 30 s: with fewer than requests run at once, connections would be opened and closed for each. */
  readonly maxIdlePerEndpoint: number;
  readonly idleConnectionMs: number;
  /**
   * Connections kept to one gateway that passes mTLS through, beside those in use: each leads to one of the backends there, so
   * that a caller of little concurrency uses several. Default 4; 1: no more than requests ask for.
   */
  readonly gatewaySpread: number;
  /** Such a connection is replaced after about this many requests or this age: weights there hold over time. Default 64 and 60,000. */
  readonly gatewayConnectionRequests: number;
  readonly gatewayConnectionMs: number;
}
