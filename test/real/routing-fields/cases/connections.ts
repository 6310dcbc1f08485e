import type { FieldCase, ServiceSpec } from '../case.ts';
import { noRetries, policy } from './destination.ts';

const echo: readonly ServiceSpec[] = [{ name: 'echo', ports: { 9000: 'tcp' }, instances: { e1: {} } }];
const one: readonly ServiceSpec[] = [{ name: 'reviews', instances: { v1: {} } }];
const ofEcho = (text: string) => policy(text).replaceAll('reviews', 'echo');

/** How long connections live, and what they speak. */
export const connectionCases: readonly FieldCase[] = [
  {
    name: 'connectionPool.tcp.connectTimeout, where nobody takes connections',
    config: `${policy('{connectionPool: {tcp: {connectTimeout: 0.3s}}}')}${noRetries.replace('retries:', 'timeout: 3s\n      retries:')}`,
    services: [{ name: 'reviews', instances: { v1: { blackHole: true } } }],
    // 504 would say that the whole time of the request has passed.
    steps: [{ ask: {}, expect: { status: 503, atLeastMs: 300 } }],
  },
  {
    name: 'connectionPool.http.idleTimeout',
    config: policy('{connectionPool: {http: {idleTimeout: 0.5s}}}'),
    services: one,
    steps: [{ ask: {}, times: 3, expect: { status: 200, closes: true } }],
  },
  {
    name: 'connectionPool.http.idleTimeout of HTTP/2',
    config: policy('{connectionPool: {http: {idleTimeout: 0.5s}}}'),
    services: [{ name: 'reviews', ports: { 80: 'http2' }, instances: { v1: {} } }],
    steps: [{ ask: { over: 'http2' }, times: 3, expect: { status: 200, connections: 1, closes: true } }],
  },
  {
    name: 'connectionPool.tcp.idleTimeout',
    config: ofEcho('{connectionPool: {tcp: {idleTimeout: 0.5s}}}'),
    services: echo,
    steps: [{ behave: { e1: { hold: true } }, ask: { dial: {} }, expect: { status: 200, atLeastMs: 500, closes: true } }],
  },
  {
    name: 'connectionPool.tcp.maxConnectionDuration of bytes',
    config: ofEcho('{connectionPool: {tcp: {maxConnectionDuration: 0.5s}}}'),
    services: echo,
    steps: [{ behave: { e1: { hold: true } }, ask: { dial: {} }, expect: { status: 200, atLeastMs: 500, closes: true } }],
  },
  {
    name: 'connectionPool.tcp.tcpKeepalive.time',
    config: policy('{connectionPool: {tcp: {tcpKeepalive: {time: 200s}}}}'),
    services: one,
    steps: [{ ask: {}, expect: { status: 200, keepaliveS: 200 } }],
  },
  {
    name: 'connectionPool.http.h2UpgradePolicy: UPGRADE',
    config: policy('{connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}'),
    services: [{ name: 'reviews', instances: { v1: { speaks: 'http2' } } }],
    steps: [{ ask: {}, times: 4, atOnce: 4, expect: { status: 200, saw: { httpVersion: '2.0' }, connections: 1 } }],
  },
  {
    name: 'connectionPool.http.h2UpgradePolicy: DO_NOT_UPGRADE',
    config: policy('{connectionPool: {http: {h2UpgradePolicy: DO_NOT_UPGRADE}}}'),
    services: one,
    steps: [{ ask: {}, expect: { status: 200, saw: { httpVersion: '1.1' } } }],
  },
];
