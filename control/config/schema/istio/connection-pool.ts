import { z } from 'zod';
import type { ConnectionLimits } from '../../../../core/traffic/index.ts';
import { fields, oneOf } from '../../../../core/yaml/index.ts';
import { across, type Written } from '../across.ts';
import { later, noted, refused } from '../refused.ts';
import { duration, durationOrZero } from './values.ts';

/** Istio's defaults are so large that they bind nobody: absent is no bound. */
const count = z
  .int()
  .min(1, { error: 'must be at least 1; leave it out for no bound' })
  .max(2 ** 31 - 1);
const countOrZero = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);

/** What Node has the kernel do, and nobody can change there: so Envoy does it too. */
const askedAgain = { probes: 10, intervalMs: 1_000 };
const asTheyAre = 'once it has begun, a proxy asks every second, ten times at most: write time alone';

const tcp = fields({
  maxConnections: count.optional(),
  connectTimeout: duration.optional(),
  idleTimeout: durationOrZero.optional(),
  maxConnectionDuration: duration.optional(),
  tcpKeepalive: fields({
    probes: refused(asTheyAre),
    time: noted(duration, 'in whole seconds').optional(),
    interval: refused(asTheyAre),
  }).optional(),
});

const http = fields({
  http1MaxPendingRequests: noted(count, 'requests that wait for a connection, of any HTTP version').optional(),
  http2MaxRequests: noted(count, 'requests at once, of any HTTP version').optional(),
  maxRequestsPerConnection: noted(countOrZero, '0: no bound').optional(),
  maxRetries: count.optional(),
  idleTimeout: noted(durationOrZero, 'beside tcp.idleTimeout: the same').optional(),
  h2UpgradePolicy: oneOf('DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE').optional(),
  useClientProtocol: later('keeping the protocol of the client'),
  maxConcurrentStreams: later('a bound for the streams of one connection'),
  http2KeepAlive: later('HTTP/2 pings'),
});

const oneIdleTimeout = 'one bound is all there is: where tcp.idleTimeout stands beside it, both must say the same';

/** Istio's ConnectionPoolSettings. */
export const connectionPool = across(fields({ tcp: tcp.optional(), http: http.optional() }), (value, report) => {
  const [ofTcp, ofHttp] = ['tcp', 'http'].map((part) => (value[part] as Written | null | undefined)?.['idleTimeout']);
  if (ofTcp !== undefined && ofHttp !== undefined && ofTcp !== ofHttp) report(['http', 'idleTimeout'], oneIdleTimeout);
});

export function toConnections(written: z.output<typeof connectionPool>): ConnectionLimits {
  const { tcp: t = {}, http: h = {} } = written;
  const idle = h.idleTimeout ?? t.idleTimeout;
  const { time } = t.tcpKeepalive ?? {};
  return {
    ...(t.maxConnections === undefined ? {} : { maxConnections: t.maxConnections }),
    ...(h.http1MaxPendingRequests === undefined ? {} : { maxPendingRequests: h.http1MaxPendingRequests }),
    ...(h.http2MaxRequests === undefined ? {} : { maxRequests: h.http2MaxRequests }),
    ...(h.maxRetries === undefined ? {} : { maxRetries: h.maxRetries }),
    ...(h.maxRequestsPerConnection === undefined || h.maxRequestsPerConnection === 0
      ? {}
      : { maxRequestsPerConnection: h.maxRequestsPerConnection }),
    ...(t.connectTimeout === undefined ? {} : { connectTimeoutMs: t.connectTimeout }),
    ...(idle === undefined ? {} : { idleTimeoutMs: idle }),
    ...(t.maxConnectionDuration === undefined ? {} : { maxConnectionDurationMs: t.maxConnectionDuration }),
    ...(time === undefined ? {} : { tcpKeepalive: { timeMs: time, ...askedAgain } }),
    ...(h.h2UpgradePolicy === undefined || h.h2UpgradePolicy === 'DEFAULT' ? {} : { h2Upgrade: h.h2UpgradePolicy === 'UPGRADE' }),
  };
}
