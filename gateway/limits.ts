import type { DataPlaneLimits } from './context.ts';

/** The defaults that contract.ts and context.ts name. */
export const defaultLimits: DataPlaneLimits = {
  engine: {
    maxConnections: 10_000,
    maxConnectionsPerSource: 1_000,
    maxHelloBytes: 16_384,
    helloTimeoutMs: 5_000,
    handshakeTimeoutMs: 10_000,
    idleTimeoutMs: 3_600_000,
    halfCloseTimeoutMs: 300_000,
    maxAttempts: 3,
  },
  http: {
    maxHeaderBytes: 65_536,
    maxHeaders: 100,
    headersTimeoutMs: 15_000,
    keepAliveTimeoutMs: 60_000,
    idleTimeoutMs: 300_000,
    maxReplayBytes: 65_536,
    maxAttempts: 3,
    maxIdlePerEndpoint: 256,
    idleConnectionMs: 30_000,
    gatewaySpread: 4,
    gatewayConnectionRequests: 64,
    gatewayConnectionMs: 60_000,
  },
};

interface ToldLimits {
  readonly maxConnections?: number | undefined;
  readonly maxConnectionsPerSource?: number | undefined;
}

/** With those that one gateway or agent is told. */
export function limitsOf({ maxConnections, maxConnectionsPerSource }: ToldLimits, limits: DataPlaneLimits): DataPlaneLimits {
  const engine = {
    ...limits.engine,
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(maxConnectionsPerSource === undefined ? {} : { maxConnectionsPerSource }),
  };
  return { ...limits, engine };
}
