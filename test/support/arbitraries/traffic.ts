import fc from 'fast-check';
import type { ClusterTraffic, HashKey, HealthCheck, LoadBalancer, OutlierDetection } from '../../../core/traffic/index.ts';
import { allOf, someOf } from './optional.ts';

/** How a cluster may be used, every kind of it and all of it valid. */

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const percent = fc.double({ min: 0, max: 100, noNaN: true }).map((p) => p + 0);
const count = fc.oneof(fc.nat(10), fc.constantFrom(0, 2 ** 32 - 1));
const ms = fc.oneof(fc.nat(60_000), fc.constantFrom(0, 2 ** 31, 2 ** 40));
const someMs = ms.map((each) => each + 1);

const hashKey: fc.Arbitrary<HashKey> = fc.oneof(
  allOf({ type: fc.constantFrom('header' as const, 'query' as const), name: word }),
  someOf({ type: fc.constant('cookie' as const), name: word, path: fc.constantFrom('', '/') }, { ttlMs: ms }),
  fc.constant({ type: 'source-address' as const }),
);
const loadBalancer: fc.Arbitrary<LoadBalancer> = fc.oneof(
  someOf(
    { type: fc.constantFrom('round-robin' as const, 'least-request' as const, 'random' as const) },
    { warmup: allOf({ durationMs: someMs, minPercent: percent, aggression: fc.double({ min: 0.1, max: 10, noNaN: true }) }) },
  ),
  allOf({
    type: fc.constant('hash' as const),
    on: hashKey,
    table: fc.oneof(
      allOf({ type: fc.constant('ring' as const), minimumRingSize: fc.nat(8_388_608) }),
      allOf({ type: fc.constant('maglev' as const), tableSize: fc.constantFrom(2, 65_537, 5_000_011) }),
    ),
  }),
);
const outlier: fc.Arbitrary<OutlierDetection> = someOf(
  {
    consecutive5xx: count,
    consecutiveGatewayErrors: count,
    consecutiveLocalOriginFailures: count,
    intervalMs: someMs,
    baseEjectionMs: fc.integer({ min: 1, max: 60_000 }),
    maxEjectionMs: fc.integer({ min: 60_000, max: 600_000 }),
    maxEjectionPercent: percent,
    minHealthPercent: percent,
  },
  { successRate: allOf({ minimumHosts: count, requestVolume: count, stdevFactor: fc.double({ min: 0.1, max: 10, noNaN: true }) }) },
);
const statuses = fc.array(fc.tuple(fc.integer({ min: 100, max: 300 }), fc.integer({ min: 300, max: 599 })), { maxLength: 2 });
const healthCheck: fc.Arbitrary<HealthCheck> = someOf(
  {
    type: fc.constantFrom('http' as const, 'tcp' as const, 'grpc' as const),
    path: fc.constantFrom('/', '/health'),
    expectedStatuses: statuses.map((pairs) => pairs.map(([from, to]) => ({ from, to }))),
    service: fc.constantFrom('', 'a.B'),
    intervalMs: someMs,
    timeoutMs: someMs,
    healthyThreshold: fc.integer({ min: 1, max: 10 }),
    unhealthyThreshold: fc.integer({ min: 1, max: 10 }),
  },
  { host: word },
);

export const clusterTraffics: fc.Arbitrary<ClusterTraffic> = someOf(
  {},
  {
    loadBalancer,
    connections: someOf(
      {},
      {
        maxConnections: count,
        maxPendingRequests: count,
        maxRequests: count,
        maxRetries: count,
        maxRequestsPerConnection: count,
        connectTimeoutMs: ms,
        idleTimeoutMs: ms,
        maxConnectionDurationMs: ms,
        tcpKeepalive: someOf({}, { probes: count, timeMs: ms, intervalMs: ms }),
        h2Upgrade: fc.boolean(),
      },
    ),
    outlier,
    healthCheck,
    retryBudget: allOf({ percent, minRetries: count }),
    tls: someOf(
      {
        mode: fc.constantFrom('simple' as const, 'mutual' as const),
        sni: word,
        subjectAltNames: fc.array(word, { maxLength: 2 }),
        certFile: word,
        keyFile: word,
      },
      { caFile: word, insecureSkipVerify: fc.boolean() },
    ),
  },
);
