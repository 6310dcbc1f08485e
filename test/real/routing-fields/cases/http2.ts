import type { FieldCase, ServiceSpec, Step } from '../case.ts';
import { always, rules, toV1 } from './answers.ts';
import { policy } from './destination.ts';

const two: readonly ServiceSpec[] = [{ name: 'reviews', ports: { 80: 'http2' }, instances: { v1: {}, v2: {}, v3: {} } }];
const over = 'http2' as const;
const leads = (by: string, ask: Step['ask']): Step => ({ ask: { over, ...ask }, expect: { status: 200, by, saw: { httpVersion: '2.0' } } });

/** The rules of HTTP where both ends speak HTTP/2. */
export const http2Cases: readonly FieldCase[] = [
  {
    name: 'HTTP/2: matches',
    config: rules(`    - match: [{uri: {exact: /m}, method: {exact: PUT}}]
      route: [{destination: {host: reviews, subset: v2}}]
    - match: [{authority: {exact: shop.example.com}}]
      route: [{destination: {host: reviews, subset: v2}}]
    - match: [{headers: {x-a: {regex: "o.e"}}, queryParams: {q: {exact: one}}}]
      route: [{destination: {host: reviews, subset: v2}}]
    - match: [{uri: {prefix: /s}, scheme: {exact: http}}]
      route: [{destination: {host: reviews, subset: v2}}]
    - ${toV1}`),
    services: two,
    steps: [
      leads('v2', { path: '/m', method: 'PUT' }),
      leads('v1', { path: '/m' }),
      leads('v2', { headers: { host: 'Shop.example.com' } }),
      leads('v2', { path: '/?q=one', headers: { 'x-a': 'one' } }),
      leads('v1', { path: '/?q=two', headers: { 'x-a': 'one' } }),
      leads('v2', { path: '/s' }),
    ],
  },
  {
    name: 'HTTP/2: weights, 99/1',
    config: always(
      'route: [{destination: {host: reviews, subset: v1}, weight: 99}, {destination: {host: reviews, subset: v2}, weight: 1}]',
    ),
    services: two,
    steps: [{ ask: { over }, times: 1_000, atOnce: 10, expect: { status: 200, by: ['v1', 'v2'], shares: { v1: 99, v2: 1 } } }],
  },
  {
    name: 'HTTP/2: rewrite, headers and trailers',
    config: always(
      `rewrite: {uri: /new, authority: other.example.com}\nmatch: [{uri: {prefix: /old}}]\nheaders: {request: {set: {x-a: rule}, remove: [x-b]}, response: {set: {x-c: rule}}}\n${toV1}`,
    ),
    services: two,
    steps: [
      {
        behave: { v1: { trailers: { 'x-sum': '42' } } },
        ask: { over, path: '/old/a?q', headers: { 'x-b': '1' } },
        expect: {
          status: 200,
          saw: { path: '/new/a?q', headers: { ':authority': 'other.example.com', 'x-a': 'rule', 'x-b': null } },
          told: { 'x-c': 'rule' },
          trailers: { 'x-sum': '42' },
        },
      },
    ],
  },
  {
    name: 'HTTP/2: redirect, direct response and faults',
    config: rules(`    - {match: [{uri: {exact: /moved}}], redirect: {uri: /there}}
    - {match: [{uri: {exact: /direct}}], directResponse: {status: 418, body: {string: short}}}
    - {match: [{uri: {exact: /abort}}], fault: {abort: {httpStatus: 555, percentage: {value: 100}}}, ${toV1}}
    - {match: [{uri: {exact: /delay}}], fault: {delay: {fixedDelay: 0.3s, percentage: {value: 100}}}, ${toV1}}
    - ${toV1}`),
    services: two,
    steps: [
      { ask: { over, path: '/moved' }, expect: { status: 301, told: { location: 'http://reviews/there' }, cameInAll: 0 } },
      { ask: { over, path: '/direct' }, expect: { status: 418, body: 'short', cameInAll: 0 } },
      { ask: { over, path: '/abort' }, expect: { status: 555, cameInAll: 0 } },
      { ask: { over, path: '/delay' }, expect: { status: 200, by: 'v1', atLeastMs: 300 } },
    ],
  },
  {
    name: 'HTTP/2: timeout',
    config: always(`timeout: 0.3s\n${toV1}`),
    services: two,
    steps: [{ behave: { v1: { delayMs: 2_000 } }, ask: { over }, expect: { status: 504, atLeastMs: 300, came: { v1: 1 } } }],
  },
  ...(
    [
      ['5xx', { status: 500, first: 1 }],
      ['reset', { reset: true, first: 1 }],
      ['refused-stream', { refuse: true, first: 1 }],
    ] as const
  ).map(
    ([retryOn, v1]): FieldCase => ({
      name: `HTTP/2: retries on ${retryOn}`,
      config: always(`retries: {attempts: 1, retryOn: ${retryOn}}\n${toV1}`),
      services: two,
      steps: [{ behave: { v1 }, ask: { over, method: 'POST' }, expect: { status: 200, came: { v1: 2 } } }],
    }),
  ),
  {
    name: 'HTTP/2: mirror and mirrors',
    config: rules(`    - match: [{uri: {exact: /one}}]
      mirror: {host: reviews, subset: v2}
      ${toV1}
    - mirrors:
        - {destination: {host: reviews, subset: v2}, percentage: {value: 100}}
        - {destination: {host: reviews, subset: v3}, percentage: {value: 100}}
      ${toV1}`),
    services: two,
    steps: [
      { ask: { over, path: '/one' }, times: 5, expect: { status: 200, by: 'v1', came: { v1: 5, v2: 5, v3: 0 } } },
      { ask: { over, method: 'PUT' }, times: 5, expect: { status: 200, by: 'v1', came: { v1: 5, v2: 5, v3: 5 } } },
    ],
  },
  {
    name: 'HTTP/2: sessions by header',
    config: policy('{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}'),
    services: two,
    steps: [
      { ask: { over, headers: { 'x-user': 'jason' } }, times: 12, expect: { status: 200, sticky: true } },
      { ask: { over, vary: 'x-user' }, times: 60, atOnce: 5, expect: { status: 200, spread: 3 } },
    ],
  },
  {
    name: 'HTTP/2: requests at once are bounded',
    config: policy('{connectionPool: {http: {http2MaxRequests: 2}}}'),
    services: [{ name: 'reviews', ports: { 80: 'http2' }, instances: { v1: {} } }],
    steps: [{ behave: { v1: { delayMs: 1_000 } }, ask: { over }, times: 6, atOnce: 6, expect: { status: [200, 503], cameInAll: 2 } }],
  },
  {
    name: 'HTTP/2: ejection of who answers badly',
    config: policy('{outlierDetection: {consecutive5xxErrors: 2, interval: 0.2s, baseEjectionTime: 30s, maxEjectionPercent: 100}}'),
    services: two,
    steps: [{ behave: { v1: { status: 500 } }, ask: { over }, times: 9, eventually: true, expect: { status: 200, by: ['v2', 'v3'] } }],
  },
  {
    name: 'HTTP/1.1 callers of an HTTP/2 service',
    config: always(toV1),
    services: two,
    steps: [{ ask: { path: '/a' }, expect: { status: 200, by: 'v1', saw: { path: '/a', httpVersion: '2.0' } } }],
  },
  {
    name: 'HTTP/2 callers of an HTTP/1.1 service, and its trailers',
    config: always(toV1),
    steps: [
      {
        behave: { v1: { trailers: { 'x-sum': '42' } } },
        ask: { over, path: '/a' },
        expect: { status: 200, by: 'v1', saw: { path: '/a', httpVersion: '1.1' }, trailers: { 'x-sum': '42' } },
      },
    ],
  },
];
