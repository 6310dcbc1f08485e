import type { Behaviour, Expectation, FieldCase } from '../case.ts';
import { always, toV1 } from './answers.ts';

/** One request to v1, which behaves so. */
function tried(name: string, retries: string, v1: Behaviour, expect: Expectation): FieldCase {
  return { name, config: always(`retries: {${retries}}\n${toV1}`), steps: [{ behave: { v1 }, ask: {}, expect }] };
}

// Timeouts leave a busy machine time for a whole try; what is answered after them is late by far more.
export const retryCases: readonly FieldCase[] = [
  {
    name: 'timeout',
    config: always(`timeout: 1s\n${toV1}`),
    steps: [
      { behave: { v1: { delayMs: 6_000 } }, ask: {}, expect: { status: 504, atLeastMs: 1_000, came: { v1: 1 } } },
      { behave: { v1: {} }, ask: {}, expect: { status: 200, by: 'v1' } },
    ],
  },
  tried('retries on 5xx', 'attempts: 2, retryOn: 5xx, backoff: 0.01s', { status: 500, first: 2 }, { status: 200, came: { v1: 3 } }),
  tried('retries.attempts is the most', 'attempts: 2, retryOn: 5xx, backoff: 0.01s', { status: 500 }, { status: 500, came: { v1: 3 } }),
  tried('retries.attempts 0', 'attempts: 0', { status: 503 }, { status: 503, came: { v1: 1 } }),
  tried('retries on gateway-error', 'attempts: 1, retryOn: gateway-error', { status: 502, first: 1 }, { status: 200, came: { v1: 2 } }),
  tried('a 500 is no gateway-error', 'attempts: 1, retryOn: gateway-error', { status: 500, first: 1 }, { status: 500, came: { v1: 1 } }),
  tried('retries on retriable-4xx', 'attempts: 1, retryOn: retriable-4xx', { status: 409, first: 1 }, { status: 200, came: { v1: 2 } }),
  tried('retries on a status of its own', 'attempts: 1, retryOn: "418"', { status: 418, first: 1 }, { status: 200, came: { v1: 2 } }),
  tried('retries on reset', 'attempts: 1, retryOn: reset', { reset: true, first: 1 }, { status: 200, came: { v1: 2 } }),
  tried(
    'retries.perTryTimeout',
    'attempts: 1, perTryTimeout: 1s, retryOn: "5xx"',
    { delayMs: 6_000, first: 1 },
    { status: 200, came: { v1: 2 }, atLeastMs: 1_000 },
  ),
  tried(
    'retries.perTryTimeout of the only try',
    'attempts: 0, perTryTimeout: 1s',
    { delayMs: 6_000 },
    { status: 504, came: { v1: 1 }, atLeastMs: 1_000 },
  ),
  {
    name: 'retries on connect-failure, not where it has failed before',
    config: `${always('retries: {attempts: 2, retryOn: connect-failure, retryIgnorePreviousHosts: true}\nroute: [{destination: {host: reviews}}]')}`,
    services: [{ name: 'reviews', instances: { v1: { down: true }, v2: {}, v3: {} } }],
    steps: [{ ask: { method: 'POST' }, times: 12, expect: { status: 200, by: ['v2', 'v3'] } }],
  },
  {
    name: 'retries.retryRemoteLocalities',
    config: `${always('retries: {attempts: 1, retryOn: 5xx, retryRemoteLocalities: true}\nroute: [{destination: {host: reviews}}]')}`,
    services: [{ name: 'reviews', instances: { v1: { locality: 'r1/z1/s1' }, v2: { locality: 'r2/z1/s1' } } }],
    steps: [{ behave: { v1: { status: 500 } }, ask: {}, times: 3, expect: { status: 200, by: 'v2', came: { v1: 3, v2: 3 } } }],
  },
  {
    name: 'retryBudget',
    config: always(`retries: {attempts: 3, retryOn: 5xx, backoff: 0.2s}\n${toV1}`).replace(
      '  host: reviews\n',
      '  host: reviews\n  trafficPolicy: {retryBudget: {percent: 0.1, minRetryConcurrency: 0}}\n',
    ),
    steps: [{ behave: { v1: { status: 500 } }, ask: {}, times: 3, expect: { status: 500, came: { v1: 3 } } }],
  },
  // All are waiting for a second answer when the first one comes, and one of them may.
  {
    name: 'connectionPool.http.maxRetries',
    config: always(`retries: {attempts: 1, retryOn: 5xx, backoff: 0.01s}\n${toV1}`).replace(
      '  host: reviews\n',
      '  host: reviews\n  trafficPolicy: {connectionPool: {http: {maxRetries: 1}}}\n',
    ),
    steps: [{ behave: { v1: { status: 500, delayMs: 1_000 } }, ask: {}, times: 6, atOnce: 6, expect: { status: 500, came: { v1: 7 } } }],
  },
  {
    name: 'connectionPool.http.maxRetries: more of them',
    config: always(`retries: {attempts: 1, retryOn: 5xx, backoff: 0.01s}\n${toV1}`).replace(
      '  host: reviews\n',
      '  host: reviews\n  trafficPolicy: {connectionPool: {http: {maxRetries: 6}}}\n',
    ),
    steps: [{ behave: { v1: { status: 500, delayMs: 500 } }, ask: {}, times: 6, atOnce: 6, expect: { status: 500, came: { v1: 12 } } }],
  },
  // Uniform up to 2 s: of 40 the mean is 1 s, and 0.09 s its standard deviation.
  {
    name: 'retries.backoff',
    config: always(`retries: {attempts: 1, retryOn: 5xx, backoff: 2s}\n${toV1}`).replace(
      '  host: reviews\n',
      '  host: reviews\n  trafficPolicy: {connectionPool: {http: {maxRetries: 100}}}\n',
    ),
    steps: [
      {
        behave: { v1: { status: 500 } },
        ask: {},
        times: 40,
        atOnce: 40,
        expect: { status: 500, came: { v1: 80 }, meanAtLeastMs: 450 },
      },
    ],
  },
];
