import type { ConnectionLimits } from '../../traffic/index.ts';
import { OutlierDetection } from '../gen/envoy/config/cluster/v3/outlier_detection.ts';
import { duration } from './any.ts';
import { proxyLimits } from './limits.ts';
import { defaultOutliers } from './overload.ts';

/*
 * What Envoy needs to get over the loss of a site as our own proxies do (gateway/health/silence.ts, gateway/forward/spread.ts): a gateway
 * that vanishes says neither FIN nor RST, and takes everything behind it along.
 */

/** TCP and the handshake with what is behind: a request that waits for them has time left to go elsewhere. */
export const gatewayConnectTimeoutMs = 2_000;
/** Five in a row, since a handshake takes part that a busy backend may be late with, and for longer than elsewhere: who is tried again costs requests two seconds. */
export const gatewayOutliers = OutlierDetection.create({
  ...defaultOutliers,
  consecutiveLocalOriginFailure: 5,
  baseEjectionTime: duration(2_000),
});

/** A connection leads to one backend: each is replaced after some use, so that all get their share, as many as there are. */
export function spread(connections: ConnectionLimits = {}): ConnectionLimits {
  const { maxRequestsPerConnection = 0, maxConnectionDurationMs = 0 } = connections;
  return {
    ...connections,
    maxRequestsPerConnection: lesser(maxRequestsPerConnection, proxyLimits.gatewayConnectionRequests),
    maxConnectionDurationMs: lesser(maxConnectionDurationMs, proxyLimits.gatewayConnectionMs),
  };
}

/** 0: no limit of its own. */
function lesser(own: number, ours: number): number {
  return own > 0 ? Math.min(own, ours) : ours;
}
