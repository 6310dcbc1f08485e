import type { Ask, Expectation, FieldCase, ServiceSpec } from '../case.ts';
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

const oneLate: readonly ServiceSpec[] = [{ name: 'reviews', instances: { v1: {}, v2: {}, v3: { late: true } } }];

/** v3 comes to the others, which are warm, and is given so many of 300 requests. */
function newcomer(name: string, balancer: string, v3: readonly [number, number]): FieldCase {
  return {
    name,
    config: policy(`{loadBalancer: {${balancer}}}`),
    services: oneLate,
    steps: [
      { ask: {}, times: 6, eventually: true, expect: { status: 200, by: ['v1', 'v2'] } },
      { agedS: 51, joins: ['v3'], ask: {}, times: 300, atOnce: 5, eventually: true, expect: { status: 200, by: all, between: { v3 } } },
    ],
  };
}

/** v3 comes, and is asked for some of the keys. */
function arrival(name: string, table: string, expect: Expectation): FieldCase {
  const keys = { ask: { vary: 'x-user' }, times: 300, atOnce: 5 };
  return {
    name,
    config: policy(`{loadBalancer: {consistentHash: {httpHeaderName: x-user, ${table}}}}`),
    services: oneLate,
    steps: [
      { ...keys, expect: { status: 200 } },
      { ...keys, joins: ['v3'], expect: { status: 200, ...expect } },
    ],
  };
}

/** Who is slow has more requests under way, and is given fewer: in turn it would be a third of them. */
function leastRequest(simple: string): FieldCase {
  return {
    name: simple,
    config: policy(`{loadBalancer: {simple: ${simple}}}`),
    steps: [
      { behave: { v1: { delayMs: 200 } }, ask: {}, times: 240, atOnce: 6, expect: { status: 200, by: all, between: { v1: [0, 60] } } },
    ],
  };
}

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
  leastRequest('LEAST_REQUEST'),
  leastRequest('LEAST_CONN'),
  sticky('consistentHash.httpHeaderName', 'httpHeaderName: x-user', ...byHeader),
  sticky('consistentHash.httpQueryParameterName', 'httpQueryParameterName: user', ...byQuery),
  sticky('consistentHash.ringHash', 'httpHeaderName: x-user, ringHash: {minimumRingSize: 2048}', ...byHeader),
  sticky('consistentHash.minimumRingSize', 'httpHeaderName: x-user, minimumRingSize: 512', ...byHeader),
  sticky('consistentHash.maglev', 'httpHeaderName: x-user, maglev: {tableSize: 251}', ...byHeader),
  // Whoever comes to a ring takes keys of the others, who keep theirs; of hashes by modulo a third would stray. Envoy's divides its places
  // anew, which is a ninth.
  arrival('consistentHash.ringHash: who comes leaves the others their keys', 'ringHash: {minimumRingSize: 2048}', {
    strayed: 20,
    shares: thirds,
  }),
  // Of one place each there is nothing to divide.
  arrival('consistentHash.minimumRingSize: of the fewest places', 'minimumRingSize: 1', { strayed: 0 }),
  {
    name: 'consistentHash.maglev: shares are as the table has places',
    config: policy('{loadBalancer: {consistentHash: {httpHeaderName: x-user, maglev: {tableSize: 5}}}}'),
    steps: [{ ask: { vary: 'x-user' }, times: 900, atOnce: 5, expect: { status: 200, ranked: [40, 40, 20] } }],
  },
  sticky(
    'consistentHash.httpCookie that the application sets',
    'httpCookie: {name: session}',
    { headers: { cookie: 'a=b; session=jason' } },
    { headers: { cookie: 'a=b' } },
  ),
  sticky('consistentHash.httpCookie that proxies set', 'httpCookie: {name: session, path: /here, ttl: 60s}', { keepCookies: true }, {}),
  {
    name: 'consistentHash goes by what the rule makes of the request',
    config: `${policy('{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
    - match: [{uri: {exact: /set}}]
      headers: {request: {set: {x-user: joe}}}
      route: [{destination: {host: reviews}}]
    - match: [{uri: {exact: /gone}}]
      headers: {request: {remove: [x-user]}}
      route: [{destination: {host: reviews}}]
`,
    steps: [
      { ask: { path: '/set', vary: 'x-user' }, times: 30, expect: { status: 200, sticky: true } },
      { ask: { path: '/gone', headers: { 'x-user': 'jason' } }, times: 60, atOnce: 5, expect: { status: 200, spread: 3 } },
    ],
  },
  {
    name: 'consistentHash goes by the query of the rewritten path',
    config: `${policy('{loadBalancer: {consistentHash: {httpQueryParameterName: user}}}')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
    - match: [{uri: {prefix: /}}]
      rewrite: {uri: "/z?user=joe&"}
      route: [{destination: {host: reviews}}]
`,
    steps: [{ ask: { vary: '?user' }, times: 30, expect: { status: 200, sticky: true } }],
  },
  {
    name: 'consistentHash.httpCookie that is empty',
    config: policy('{loadBalancer: {consistentHash: {httpCookie: {name: session}}}}'),
    steps: [{ ask: { headers: { cookie: 'session=' } }, times: 60, atOnce: 5, expect: { status: 200, spread: 3 } }],
  },
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
  // A tenth of the weight, or as much of it as of the time has passed: 14 to 60 of 300, for the first 25 s.
  newcomer('warmup.duration', 'simple: ROUND_ROBIN, warmup: {duration: 50s}', [10, 62]),
  newcomer('warmupDurationSecs', 'simple: LEAST_REQUEST, warmupDurationSecs: 50s', [5, 75]),
  // 0.5 of 2.5; a tenth would be 14.
  newcomer('warmup.minimumPercent', 'simple: ROUND_ROBIN, warmup: {duration: 50s, minimumPercent: 50}', [55, 65]),
  // The root of the part of the time: 45 after 6 s, 80 after 26 s; without it 17 and 62, and 39 after the 15 s that it is given.
  newcomer('warmup.aggression', 'simple: ROUND_ROBIN, warmup: {duration: 50s, minimumPercent: 1, aggression: 2}', [45, 80]),
  {
    name: 'warmup ends',
    config: policy('{loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 2s}}}'),
    services: oneLate,
    steps: [
      { ask: {}, times: 6, eventually: true, expect: { status: 200, by: ['v1', 'v2'] } },
      { joins: ['v3'], ask: {}, times: 150, atOnce: 3, eventually: true, expect: { status: 200, by: all, shares: thirds } },
    ],
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
