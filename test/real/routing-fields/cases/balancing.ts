import type { Ask, FieldCase } from '../case.ts';
import { policy } from './destination.ts';

/** The same value goes to the same instance, and not all go to one. */
function sticky(name: string, hash: string, same: Ask, varied: Ask): FieldCase {
  return {
    name,
    config: policy(`{loadBalancer: {consistentHash: {${hash}}}}`),
    steps: [
      { ask: same, times: 12, expect: { status: 200, sticky: true } },
      { ask: varied, times: 60, atOnce: 5, expect: { status: 200, spread: 3 } },
    ],
  };
}

const byHeader: readonly [Ask, Ask] = [{ headers: { 'x-user': 'jason' } }, { vary: 'x-user' }];
const byQuery: readonly [Ask, Ask] = [{ path: '/?user=jason' }, { vary: '?user' }];
const all = ['v1', 'v2', 'v3'];
const thirds = { v1: 100 / 3, v2: 100 / 3, v3: 100 / 3 };

export const balancingCases: readonly FieldCase[] = [
  {
    name: 'ROUND_ROBIN',
    config: policy('{loadBalancer: {simple: ROUND_ROBIN}}'),
    steps: [{ ask: {}, times: 30, expect: { status: 200, came: { v1: 10, v2: 10, v3: 10 } } }],
  },
  {
    name: 'RANDOM',
    config: policy('{loadBalancer: {simple: RANDOM}}'),
    steps: [{ ask: {}, times: 300, atOnce: 10, expect: { status: 200, by: all, shares: thirds } }],
  },
  {
    name: 'LEAST_REQUEST',
    config: policy('{loadBalancer: {simple: LEAST_REQUEST}}'),
    steps: [{ ask: {}, times: 90, atOnce: 6, expect: { status: 200, by: all } }],
  },
  {
    name: 'LEAST_CONN',
    config: policy('{loadBalancer: {simple: LEAST_CONN}}'),
    steps: [{ ask: {}, times: 90, atOnce: 6, expect: { status: 200, by: all } }],
  },
  sticky('consistentHash.httpHeaderName', 'httpHeaderName: x-user', ...byHeader),
  sticky('consistentHash.httpQueryParameterName', 'httpQueryParameterName: user', ...byQuery),
  sticky('consistentHash.ringHash', 'httpHeaderName: x-user, ringHash: {minimumRingSize: 2048}', ...byHeader),
  sticky('consistentHash.minimumRingSize', 'httpHeaderName: x-user, minimumRingSize: 512', ...byHeader),
  sticky('consistentHash.maglev', 'httpHeaderName: x-user, maglev: {tableSize: 251}', ...byHeader),
  sticky(
    'consistentHash.httpCookie that the application sets',
    'httpCookie: {name: session}',
    { headers: { cookie: 'a=b; session=jason' } },
    { headers: { cookie: 'a=b' } },
  ),
  sticky('consistentHash.httpCookie that proxies set', 'httpCookie: {name: session, path: /here, ttl: 60s}', { keepCookies: true }, {}),
  {
    name: 'consistentHash.useSourceIp',
    config: policy('{loadBalancer: {consistentHash: {useSourceIp: true}}}'),
    steps: ['127.0.0.1', '127.0.0.5', '127.0.0.9'].map((from) => ({ ask: { from }, times: 12, expect: { status: 200, sticky: true } })),
  },
  {
    name: 'warmup: who is as new as the others has as much',
    config: policy('{loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 30s, minimumPercent: 10, aggression: 1}}}'),
    steps: [{ ask: {}, times: 60, expect: { status: 200, by: all, shares: thirds } }],
  },
  {
    name: 'warmupDurationSecs',
    config: policy('{loadBalancer: {simple: LEAST_REQUEST, warmupDurationSecs: 30s}}'),
    steps: [{ ask: {}, times: 60, expect: { status: 200, by: all } }],
  },
  {
    name: 'a policy of one port',
    config: policy(`
    loadBalancer: {simple: ROUND_ROBIN}
    portLevelSettings:
      - port: {number: 8080}
        loadBalancer: {consistentHash: {httpHeaderName: x-user}}
        connectionPool: {http: {maxRequestsPerConnection: 1}}
        outlierDetection: {consecutive5xxErrors: 7}`),
    services: [{ name: 'reviews', ports: { 80: 'http', 8080: 'http' }, instances: { v1: {}, v2: {}, v3: {} } }],
    steps: [
      { ask: { headers: { 'x-user': 'jason' } }, times: 12, expect: { status: 200, by: all } },
      { ask: { port: 8080, headers: { 'x-user': 'jason' } }, times: 6, expect: { status: 200, sticky: true, connections: 6 } },
    ],
  },
  {
    name: 'a policy of whom it is exported to',
    config: policy('{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}', '  exportTo: ["."]\n'),
    steps: [{ ask: { headers: { 'x-user': 'jason' } }, times: 60, expect: { status: 200, by: all } }],
  },
];
