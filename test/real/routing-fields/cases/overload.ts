import type { FieldCase, ServiceSpec } from '../case.ts';
import { noRetries, policy } from './destination.ts';

const one: readonly ServiceSpec[] = [{ name: 'reviews', instances: { v1: {} } }];
const ejection = 'interval: 0.2s, baseEjectionTime: 30s, maxEjectionPercent: 100';

export const overloadCases: readonly FieldCase[] = [
  {
    name: 'connectionPool.tcp.maxConnections',
    config: `${policy('{connectionPool: {tcp: {maxConnections: 1, connectTimeout: 2s}}}')}${noRetries}`,
    services: one,
    steps: [{ behave: { v1: { delayMs: 50 } }, ask: {}, times: 8, atOnce: 8, expect: { status: 200, connections: 1 } }],
  },
  {
    name: 'connectionPool.http.http1MaxPendingRequests',
    config: `${policy('{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}}')}${noRetries}`,
    services: one,
    steps: [
      // Of a connection that is not open yet, who waits for it is pending too.
      { ask: {}, expect: { status: 200 } },
      { behave: { v1: { delayMs: 1_000 } }, ask: {}, times: 6, atOnce: 6, expect: { status: [200, 503], cameInAll: 2 } },
    ],
  },
  {
    name: 'connectionPool.http.http2MaxRequests',
    config: `${policy('{connectionPool: {http: {http2MaxRequests: 2}}}')}${noRetries}`,
    services: one,
    steps: [{ behave: { v1: { delayMs: 1_000 } }, ask: {}, times: 6, atOnce: 6, expect: { status: [200, 503], cameInAll: 2 } }],
  },
  {
    name: 'connectionPool.http.maxRequestsPerConnection',
    config: policy('{connectionPool: {http: {maxRequestsPerConnection: 2}}}'),
    services: one,
    steps: [{ ask: {}, times: 6, expect: { status: 200, connections: 3 } }],
  },
  {
    name: 'connectionPool.tcp.maxConnectionDuration',
    config: policy('{connectionPool: {tcp: {maxConnectionDuration: 0.2s}}}'),
    services: one,
    steps: [{ behave: { v1: { delayMs: 400 } }, ask: {}, times: 3, expect: { status: 200, connections: 3 } }],
  },
  {
    name: 'a connection pool of one subset',
    config: `${policy('{}', '  subsets:\n    - {name: v1, labels: {version: v1}, trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 1}}}}\n    - {name: v2, labels: {version: v2}}\n').replace('  trafficPolicy: {}\n', '')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
    - match: [{uri: {exact: /one}}]
      route: [{destination: {host: reviews, subset: v1}}]
    - route: [{destination: {host: reviews, subset: v2}}]
`,
    steps: [
      { ask: { path: '/one' }, times: 4, expect: { status: 200, connections: 4 } },
      { ask: {}, times: 4, expect: { status: 200, connections: 1 } },
    ],
  },
  {
    name: 'outlierDetection.consecutive5xxErrors, and back after baseEjectionTime',
    config: `${policy('{outlierDetection: {consecutive5xxErrors: 2, interval: 0.2s, baseEjectionTime: 1s, maxEjectionPercent: 100}}')}${noRetries}`,
    steps: [
      { behave: { v1: { status: 500 } }, ask: {}, times: 9, eventually: true, expect: { status: 200, by: ['v2', 'v3'] } },
      { behave: { v1: {} }, ask: {}, times: 9, eventually: true, expect: { status: 200, by: ['v1', 'v2', 'v3'] } },
    ],
  },
  {
    name: 'outlierDetection.maxEjectionPercent: one endpoint, however few they are',
    config: `${policy('{outlierDetection: {consecutive5xxErrors: 2, interval: 0.2s, baseEjectionTime: 30s}}')}${noRetries}`,
    steps: [
      { behave: { v1: { status: 500 } }, ask: {}, times: 9, eventually: true, expect: { status: 200, by: ['v2', 'v3'] } },
      // A second one would be 66 %.
      { behave: { v2: { status: 500 } }, ask: {}, times: 60, expect: {} },
      { ask: {}, times: 30, expect: { status: [200, 500], by: ['v2', 'v3'] } },
    ],
  },
  {
    name: 'outlierDetection.maxEjectionPercent: no endpoint more than the percentage',
    config: `${policy('{outlierDetection: {consecutive5xxErrors: 2, interval: 0.2s, baseEjectionTime: 30s, maxEjectionPercent: 50}}')}${noRetries}`,
    steps: [
      { behave: { v1: { status: 500 } }, ask: {}, times: 9, eventually: true, expect: { status: 200, by: ['v2', 'v3'] } },
      { behave: { v2: { status: 500 } }, ask: {}, times: 60, expect: {} },
      { ask: {}, times: 30, expect: { status: [200, 500], by: ['v2', 'v3'] } },
    ],
  },
  {
    name: 'outlierDetection.maxEjectionPercent: as many endpoints as it allows',
    config: `${policy('{outlierDetection: {consecutive5xxErrors: 2, interval: 0.2s, baseEjectionTime: 30s, maxEjectionPercent: 67}}')}${noRetries}`,
    steps: [
      { behave: { v1: { status: 500 }, v2: { status: 500 } }, ask: {}, times: 9, eventually: true, expect: { status: 200, by: 'v3' } },
      { behave: { v3: { status: 500 } }, ask: {}, times: 30, expect: {} },
      { ask: {}, times: 9, expect: { status: 500, by: 'v3' } },
    ],
  },
  {
    name: 'outlierDetection.consecutiveGatewayErrors',
    config: `${policy(`{outlierDetection: {consecutiveGatewayErrors: 2, consecutive5xxErrors: 0, ${ejection}}}`)}${noRetries}`,
    steps: [
      {
        behave: { v1: { status: 503 }, v2: { status: 500 } },
        ask: {},
        times: 12,
        eventually: true,
        expect: { status: [200, 500], by: ['v2', 'v3'] },
      },
      { ask: {}, times: 12, expect: { status: [200, 500], by: ['v2', 'v3'] } },
    ],
  },
  {
    name: 'outlierDetection.consecutiveLocalOriginFailures',
    config: `${policy(
      `{outlierDetection: {splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2, consecutive5xxErrors: 100, ${ejection}}}`,
    )}${noRetries}`,
    services: [{ name: 'reviews', instances: { v1: { down: true }, v2: {}, v3: {} } }],
    steps: [{ ask: {}, times: 9, eventually: true, expect: { status: 200, by: ['v2', 'v3'] } }],
  },
  {
    name: 'outlierDetection.minHealthPercent: below it, everybody is asked',
    config: `${policy(`{outlierDetection: {consecutive5xxErrors: 2, minHealthPercent: 60, ${ejection}}}`)}${noRetries}`,
    steps: [
      // Two of three are over it: who is ejected is.
      { behave: { v1: { status: 500 } }, ask: {}, times: 12, eventually: true, expect: { status: 200, by: ['v2', 'v3'] } },
      // One of three is not.
      { behave: { v2: { status: 500 } }, ask: {}, times: 12, expect: {} },
      { ask: {}, times: 12, eventually: true, expect: { status: [200, 500], by: ['v1', 'v2', 'v3'] } },
    ],
  },
];
