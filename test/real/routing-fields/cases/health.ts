import type { FieldCase } from '../case.ts';
import { noRetries, policy } from './destination.ts';

function checks(spec: string): string {
  return `
apiVersion: isthmus.dev/v1alpha1
kind: HealthCheckPolicy
metadata: {name: reviews}
spec:
  host: reviews
${spec}
`;
}

const often = '  interval: 1s\n  timeout: 1s\n  healthyThreshold: 1\n  unhealthyThreshold: 1';

export const healthCases: readonly FieldCase[] = [
  {
    name: 'health checks over HTTP',
    config: checks(`  http: {path: /healthz, host: health.example.com, expectedStatuses: ["200-204"]}\n${often}`),
    steps: [
      { behave: { v1: { health: 503 } }, ask: {}, times: 9, eventually: true, expect: { status: 200, by: ['v2', 'v3'] } },
      { behave: { v1: {} }, ask: {}, times: 9, eventually: true, expect: { status: 200, by: ['v1', 'v2', 'v3'] } },
    ],
  },
  {
    name: 'health checks over TCP',
    config: checks(`  port: 80\n  tcp: {}\n${often}`),
    services: [{ name: 'reviews', instances: { v1: { down: true }, v2: {}, v3: {} } }],
    steps: [{ ask: {}, times: 9, eventually: true, expect: { status: 200, by: ['v2', 'v3'] } }],
  },
  {
    name: 'health checks over HTTP/2',
    config: checks(`  http: {path: /healthz}\n${often}`),
    services: [{ name: 'reviews', ports: { 80: 'http2' }, instances: { v1: {}, v2: {}, v3: {} } }],
    steps: [
      {
        behave: { v1: { health: 503 } },
        ask: { over: 'http2' },
        times: 9,
        eventually: true,
        expect: { status: 200, by: ['v2', 'v3'] },
      },
    ],
  },
  {
    name: 'health checks over gRPC, of one service of it',
    config: checks(`  grpc: {service: shop.Reviews}\n${often}`),
    services: [{ name: 'reviews', ports: { 80: 'grpc' }, instances: { v1: {}, v2: {}, v3: {} } }],
    steps: [
      {
        behave: { v1: { unhealthyFor: ['shop.Reviews'] }, v2: { unhealthyFor: ['shop.Other', ''] } },
        ask: { over: 'grpc' },
        times: 9,
        eventually: true,
        expect: { status: 200, by: ['v2', 'v3'] },
      },
    ],
  },
  {
    name: 'health checks over gRPC, of the whole server',
    config: checks(`  grpc: {}\n${often}`),
    services: [{ name: 'reviews', ports: { 80: 'grpc' }, instances: { v1: {}, v2: {}, v3: {} } }],
    steps: [
      {
        behave: { v1: { unhealthyFor: ['shop.Reviews'] }, v2: { unhealthyFor: [''] } },
        ask: { over: 'grpc' },
        times: 9,
        eventually: true,
        expect: { status: 200, by: ['v1', 'v3'] },
      },
    ],
  },
  {
    name: 'health checks of one subset',
    config: `${checks(`  subset: v1\n  http: {path: /healthz}\n${often}`)}---${policy('{}', '  subsets: [{name: v1, labels: {team: a}}, {name: v2, labels: {team: b}}]\n').replace('  trafficPolicy: {}\n', '')}---
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
    services: [
      {
        name: 'reviews',
        instances: {
          a1: { labels: { team: 'a' } },
          a2: { labels: { team: 'a' } },
          b1: { labels: { team: 'b' } },
          b2: { labels: { team: 'b' } },
        },
      },
    ],
    steps: [
      {
        behave: { a1: { health: 503 }, b1: { health: 503 } },
        ask: { path: '/one' },
        times: 8,
        eventually: true,
        expect: { status: 200, by: 'a2' },
      },
      { ask: {}, times: 16, expect: { status: 200, by: ['b1', 'b2'] } },
    ],
  },
  {
    name: 'ejection by success rate',
    config: `${checks('  successRate: {minimumHosts: 3, requestVolume: 5, stdevFactor: 1}')}---${policy(
      '{outlierDetection: {consecutive5xxErrors: 100, interval: 0.5s, baseEjectionTime: 30s, maxEjectionPercent: 100}}',
    )}${noRetries}`,
    steps: [
      { behave: { v1: { status: 500 } }, ask: {}, times: 60, atOnce: 5, eventually: true, expect: { status: 200, by: ['v2', 'v3'] } },
    ],
  },
];
