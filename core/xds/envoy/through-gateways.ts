import type { ConnectionLimits } from '../../traffic/index.ts';
import { HealthCheck } from '../gen/envoy/config/core/v3/health_check.ts';
import { duration } from './any.ts';
import { plaintextGroup } from './endpoints.ts';
import { proxyLimits } from './limits.ts';

/*
 * What Envoy needs to get over the loss of a site as our own proxies do (gateway/health/silence.ts, gateway/forward/spread.ts): a gateway
 * that vanishes says neither FIN nor RST, and takes everything behind it along.
 */

/** TCP and the handshake with what is behind: a request that waits for them has time left to go elsewhere. */
export const gatewayConnectTimeoutMs = 2_000;
/**
 * By TCP alone, and not the TLS of some backend behind it. It replaces the outlier detection that other endpoints have where nothing is said:
 * Envoy counts the handshake to what it was connected for, so that backends that are late with it would eject their gateway, one after the
 * other, until none is left. One that failed comes back when three in a row have reached it, and no request has to try. A lost packet is no
 * failure: TCP sends it again after a second.
 */
export function gatewayCheck(): HealthCheck {
  return HealthCheck.create({
    timeout: duration(1_500),
    interval: duration(2_000),
    intervalJitterPercent: 10,
    noTrafficInterval: duration(60_000),
    unhealthyInterval: duration(1_000),
    unhealthyThreshold: 1,
    healthyThreshold: 3,
    reuseConnection: false,
    transportSocketMatchCriteria: { tls: plaintextGroup },
    healthChecker: { $case: 'tcpHealthCheck', value: { send: undefined, receive: [], proxyProtocolConfig: undefined } },
  });
}

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
