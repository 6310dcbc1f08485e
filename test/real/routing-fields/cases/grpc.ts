import type { Behaviour, Expectation, FieldCase, ServiceSpec } from '../case.ts';
import { always, rules, toV1 } from './answers.ts';

const services: readonly ServiceSpec[] = [{ name: 'reviews', ports: { 80: 'grpc' }, instances: { v1: {}, v2: {}, v3: {} } }];
const over = 'grpc' as const;
const ended = (status: number): Expectation => ({ status: 200, trailers: { 'grpc-status': String(status) } });
/** The status of an answer that is a head alone. */
const inHead = (status: number): Expectation => ({ status: 200, told: { 'grpc-status': String(status) } });

/** As Envoy's x-envoy-retry-grpc-on has them; what came as an answer with a body has been passed on. */
function retried(condition: string, grpcStatus: number): FieldCase {
  const v1: Behaviour = { grpcStatus, trailersOnly: true, first: 1 };
  return {
    name: `gRPC: retries on ${condition}`,
    config: rules(`    - match: [{uri: {exact: /shop.Reviews/Retried}}]
      retries: {attempts: 1, retryOn: ${condition}}
      ${toV1}
    - retries: {attempts: 1, retryOn: gateway-error}
      ${toV1}`),
    services,
    steps: [
      { behave: { v1 }, ask: { over, path: '/shop.Reviews/Retried' }, expect: { ...ended(0), came: { v1: 2 } } },
      { behave: { v1 }, ask: { over, path: '/shop.Reviews/Other' }, expect: { ...inHead(grpcStatus), came: { v1: 1 } } },
    ],
  };
}

export const grpcCases: readonly FieldCase[] = [
  {
    name: 'gRPC: matches, metadata and trailers',
    config: rules(`    - match: [{uri: {prefix: /shop.Reviews/}, headers: {tenant: {exact: blue}}}]
      headers: {request: {set: {x-a: rule}}}
      route: [{destination: {host: reviews, subset: v2}}]
    - ${toV1}`),
    services,
    steps: [
      {
        behave: { v2: { grpcStatus: 5, trailers: { 'grpc-message': 'no such book' } } },
        ask: { over, path: '/shop.Reviews/Get', headers: { tenant: 'blue' } },
        expect: {
          ...ended(5),
          by: 'v2',
          saw: { method: 'POST', headers: { 'x-a': 'rule', te: 'trailers' } },
          trailers: { 'grpc-status': '5', 'grpc-message': 'no such book' },
        },
      },
      { ask: { over, path: '/shop.Reviews/Get' }, expect: { ...ended(0), by: 'v1' } },
    ],
  },
  {
    name: 'gRPC: weights',
    config: always(
      'route: [{destination: {host: reviews, subset: v1}, weight: 90}, {destination: {host: reviews, subset: v2}, weight: 10}]',
    ),
    services,
    steps: [{ ask: { over }, times: 400, atOnce: 10, expect: { ...ended(0), shares: { v1: 90, v2: 10 } } }],
  },
  retried('cancelled', 1),
  retried('deadline-exceeded', 4),
  retried('resource-exhausted', 8),
  retried('internal', 13),
  retried('unavailable', 14),
  {
    name: 'gRPC: a status after a body is not tried again',
    config: always(`retries: {attempts: 1, retryOn: unavailable}\n${toV1}`),
    services,
    steps: [{ behave: { v1: { grpcStatus: 14, first: 1 } }, ask: { over }, expect: { ...ended(14), came: { v1: 1 } } }],
  },
  {
    name: 'gRPC: refused streams are tried again',
    config: always(`retries: {attempts: 1, retryOn: refused-stream}\n${toV1}`),
    services,
    steps: [{ behave: { v1: { refuse: true, first: 1 } }, ask: { over }, expect: { ...ended(0), came: { v1: 2 } } }],
  },
  {
    name: 'gRPC: fault.abort.grpcStatus, for callers of gRPC alone',
    config: always(`fault: {abort: {grpcStatus: RESOURCE_EXHAUSTED, percentage: {value: 100}}}\n${toV1}`),
    services,
    steps: [{ ask: { over }, expect: { ...inHead(8), cameInAll: 0 } }],
  },
  {
    name: 'gRPC: fault.abort.httpStatus is told as a status of gRPC',
    config: always(`fault: {abort: {httpStatus: 503, percentage: {value: 100}}}\n${toV1}`),
    services,
    steps: [{ ask: { over }, expect: { ...inHead(14), cameInAll: 0 } }],
  },
  {
    name: 'gRPC: timeout',
    config: always(`timeout: 0.3s\n${toV1}`),
    services,
    steps: [{ behave: { v1: { delayMs: 2_000 } }, ask: { over }, expect: { ...inHead(14), atLeastMs: 300, came: { v1: 1 } } }],
  },
  {
    name: 'gRPC: per-try timeout',
    config: always(`retries: {attempts: 1, perTryTimeout: 0.3s, retryOn: gateway-error}\n${toV1}`),
    services,
    steps: [{ behave: { v1: { delayMs: 2_000, first: 1 } }, ask: { over }, expect: { ...ended(0), atLeastMs: 300, came: { v1: 2 } } }],
  },
  {
    name: 'gRPC: mirrors',
    config: always(`mirrors:
  - {destination: {host: reviews, subset: v2}, percentage: {value: 100}}
  - {destination: {host: reviews, subset: v3}, percentage: {value: 100}}
${toV1}`),
    services,
    steps: [{ ask: { over }, times: 5, expect: { ...ended(0), by: 'v1', came: { v1: 5, v2: 5, v3: 5 } } }],
  },
  {
    name: 'gRPC: no rule, nobody there, and direct responses',
    config: rules(`    - {match: [{uri: {exact: /shop.Reviews/Direct}}], directResponse: {status: 503}}
    - {match: [{uri: {exact: /shop.Reviews/Nowhere}}], route: [{destination: {host: nowhere}}]}
    - {match: [{uri: {exact: /shop.Reviews/Get}}], ${toV1}}`),
    services,
    steps: [
      { ask: { over, path: '/shop.Reviews/Direct' }, expect: { ...inHead(14), cameInAll: 0 } },
      { ask: { over, path: '/shop.Reviews/Nowhere' }, expect: { ...inHead(14), cameInAll: 0 } },
      { ask: { over, path: '/shop.Reviews/Else' }, expect: { ...inHead(12), cameInAll: 0 } },
    ],
  },
];
