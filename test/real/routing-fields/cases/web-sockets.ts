import type { Expectation, FieldCase } from '../case.ts';
import { always, rules, toV1 } from './answers.ts';
import { policy } from './destination.ts';

const webSocket = true as const;
const talked = (to: string): Expectation => ({ status: 101, by: to, body: `${to} heard hello` });

export const webSocketCases: readonly FieldCase[] = [
  {
    name: 'WebSocket: matches',
    config:
      rules(`    - {match: [{uri: {prefix: /chat}, headers: {upgrade: {exact: websocket}}}], route: [{destination: {host: reviews, subset: v2}}]}
    - {match: [{headers: {x-a: {exact: one}}}], route: [{destination: {host: reviews, subset: v3}}]}
    - ${toV1}`),
    steps: [
      { ask: { webSocket, path: '/chat' }, expect: talked('v2') },
      { ask: { webSocket, headers: { 'x-a': 'one' } }, expect: talked('v3') },
      { ask: { webSocket }, expect: talked('v1') },
      { ask: { path: '/chat' }, expect: { status: 200, by: 'v1' } },
    ],
  },
  {
    name: 'WebSocket: weights',
    config: always(
      'route: [{destination: {host: reviews, subset: v1}, weight: 80}, {destination: {host: reviews, subset: v2}, weight: 20}]',
    ),
    steps: [{ ask: { webSocket }, times: 200, atOnce: 10, expect: { status: 101, shares: { v1: 80, v2: 20 } } }],
  },
  {
    name: 'WebSocket: faults, redirects and direct responses',
    config: rules(`    - {match: [{uri: {exact: /abort}}], fault: {abort: {httpStatus: 555, percentage: {value: 100}}}, ${toV1}}
    - {match: [{uri: {exact: /delay}}], fault: {delay: {fixedDelay: 0.3s, percentage: {value: 100}}}, ${toV1}}
    - {match: [{uri: {exact: /moved}}], redirect: {uri: /there}}
    - {directResponse: {status: 418}}`),
    steps: [
      { ask: { webSocket, path: '/abort' }, expect: { status: 555, cameInAll: 0 } },
      { ask: { webSocket, path: '/delay' }, expect: { ...talked('v1'), atLeastMs: 300 } },
      { ask: { webSocket, path: '/moved' }, expect: { status: 301, cameInAll: 0 } },
      { ask: { webSocket }, expect: { status: 418, cameInAll: 0 } },
    ],
  },
  {
    name: 'WebSocket: retries before it is open',
    config: always('retries: {attempts: 2, retryOn: connect-failure}\nroute: [{destination: {host: reviews}}]'),
    services: [{ name: 'reviews', instances: { v1: { down: true }, v2: {}, v3: {} } }],
    steps: [{ ask: { webSocket }, times: 12, expect: { status: 101, by: ['v2', 'v3'] } }],
  },
  {
    name: 'WebSocket: what the application refuses is told',
    config: always(toV1),
    steps: [{ behave: { v1: { status: 403 } }, ask: { webSocket }, expect: { status: 403, by: 'v1' } }],
  },
  {
    name: 'WebSocket: sessions by header',
    config: policy('{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}'),
    steps: [{ ask: { webSocket, headers: { 'x-user': 'jason' } }, times: 12, expect: { status: 101, sticky: true } }],
  },
  {
    name: 'WebSocket: who hangs up is as sound as before',
    config: policy('{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}'),
    steps: [
      {
        behave: { v1: { hangsUp: true }, v2: { hangsUp: true }, v3: { hangsUp: true } },
        ask: { webSocket, headers: { 'x-user': 'jason' } },
        times: 12,
        expect: { status: 101, sticky: true },
      },
    ],
  },
];
