import type { Resource } from '../../control/snapshot/index.ts';
import type { ClusterRef, ClusterTraffic, HttpRule } from '../../core/traffic/index.ts';
import { clusterName, direct, httpRouting, match, place, routeTo, rule, serviceResources } from './traffic-scene.ts';

const [v1, v2] = [clusterName('reviews', 'v1'), clusterName('reviews', 'v2')];
const any = [match()];
const exact = (value: string) => ({ type: 'exact', value }) as const;

/** Every field of a rule at least once. */
const rules: readonly HttpRule<ClusterRef>[] = [
  rule('exact', [match({ path: exact('/exact'), method: exact('GET'), name: 'm' })], direct(200, 'exact')),
  rule('prefix', [match({ path: { type: 'prefix', value: '/Prefix' }, ignoreCase: true })], direct(204)),
  rule('segments', [match({ path: { type: 'segments', value: '/a/b' } })], direct(201, 'segments')),
  rule('regex', [match({ path: { type: 'regex', value: '/v[0-9]+/.*' }, ignoreCase: true })], direct(202, 'x'.repeat(5_000))),
  rule(
    'headers',
    [
      match({
        headers: [
          { name: 'x-exact', value: exact('1') },
          { name: 'x-prefix', value: { type: 'prefix', value: 'a' } },
          { name: 'x-suffix', value: { type: 'suffix', value: 'z' } },
          { name: 'x-regex', value: { type: 'regex', value: 'a+' } },
          { name: 'x-there' },
          { name: 'x-any', value: { type: 'prefix', value: '' } },
          { name: 'x-absent', not: true },
          { name: 'x-not', value: exact('1'), not: true },
          { name: 'x-not-regex', value: { type: 'regex', value: 'a*' }, not: true },
        ],
        query: [
          { name: 'q', value: exact('1') },
          { name: 'there' },
          { name: 'not', value: exact('1'), not: true },
          { name: 'absent', not: true },
          { name: 're', value: { type: 'regex', value: '[0-9]+' } },
        ],
        scheme: exact('http'),
        authority: { type: 'suffix', value: '.example.com' },
        method: { type: 'regex', value: 'GET|POST' },
      }),
    ],
    direct(200),
  ),
  rule('for web', [match({ sourceLabels: { app: 'web' } })], direct(200, 'web')),
  rule('for others', [match({ sourceNamespace: 'other' }), match({ sourceLabels: { app: 'none' } })], direct(200, 'others')),
  rule('moved', [match({ path: { type: 'segments', value: '/old' } })], {
    type: 'redirect',
    scheme: 'https',
    authority: 'new.example.com',
    port: 8443,
    path: { type: 'prefix', value: '/' },
    status: 308,
  }),
  rule('moved whole', [match({ path: exact('/whole') })], { type: 'redirect', path: { type: 'full', value: '/new' }, status: 302 }),
  rule(
    'gone',
    [match({ path: exact('/gone') })],
    routeTo({ '': 1 }, { destinations: [{ destination: { cluster: '', missing: 500 }, weight: 0 }] }),
  ),
  rule('half gone', [match({ path: exact('/half') })], {
    ...routeTo({ [v1]: 1 }),
    destinations: [
      { destination: { cluster: v1 }, weight: 1 },
      { destination: { cluster: '', missing: 500 }, weight: 1 },
    ],
  }),
  ...rewrites(),
  rule(
    'weighted',
    [match({ headers: [{ name: 'end-user', value: exact('jason') }] })],
    {
      ...routeTo({}),
      destinations: [
        {
          destination: { cluster: v1 },
          weight: 99,
          requestHeaders: {
            set: [
              ['host', 'v1.example.com'],
              ['x-version', '100% v1'],
            ],
            add: [['x-add', 'a']],
            remove: ['x-remove'],
          },
          responseHeaders: { set: [['x-version', 'v1']], add: [], remove: ['server'] },
        },
        { destination: { cluster: v2 }, weight: 1 },
      ],
      mirrors: [{ destination: { cluster: v2 }, percent: 12.5 }],
      timeoutMs: 1_500,
      retries: {
        attempts: 3,
        perTryTimeoutMs: 500,
        on: ['5xx', 'connect-failure', 'reset', 'retriable-status-codes', 'unavailable'],
        statusCodes: [409],
        backoffMs: 10,
        otherLocalities: true,
      },
    },
    {
      requestHeaders: { set: [[':authority', 'all.example.com']], add: [['x-all', '']], remove: ['cookie'] },
      responseHeaders: { set: [], add: [['x-rule', 'weighted']], remove: [] },
      cors: {
        allowOrigins: [exact('https://shop.example.com'), { type: 'regex', value: 'https://.*\\.example\\.com' }],
        allowMethods: ['GET', 'PUT'],
        allowHeaders: ['x-a'],
        exposeHeaders: ['x-b'],
        maxAgeS: 60,
        allowCredentials: true,
        forwardNotMatching: false,
      },
      fault: { delay: { percent: 0.1, ms: 5_000 }, abort: { percent: 50, status: 555 } },
    },
  ),
  rule('grpc fault', any, routeTo({ [v1]: 1 }, { retries: { attempts: 0, on: [], statusCodes: [] } }), {
    fault: { abort: { percent: 100, status: 503, grpcStatus: 14 } },
  }),
  rule('rest', [], routeTo({ [v1]: 1 })),
];

function rewrites(): HttpRule<ClusterRef>[] {
  const segments = match({ path: { type: 'segments', value: '/api' } });
  const all = [
    { on: segments, path: { type: 'prefix', value: '/' } },
    { on: segments, path: { type: 'prefix', value: '/v1' } },
    { on: match({ path: { type: 'segments', value: '/' } }), path: { type: 'prefix', value: '/v1' } },
    { on: segments, path: { type: 'full', value: '/one\\two' } },
    { on: segments, path: { type: 'regex', pattern: '^/(.*)/(.*)$', substitution: '/\\2/\\1' } },
  ] as const;
  return all.map(({ on, path }, i) =>
    rule(
      `rewrite ${i}`,
      [{ ...on, headers: [{ name: 'x-case', value: exact(String(i)) }] }],
      routeTo({ [v1]: 1 }, { rewrite: { authority: 'a.example.com', path } }),
    ),
  );
}

const outlier = {
  consecutive5xx: 5,
  consecutiveGatewayErrors: 3,
  consecutiveLocalOriginFailures: 2,
  successRate: { minimumHosts: 3, requestVolume: 50, stdevFactor: 1.9 },
  intervalMs: 1_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 50,
  minHealthPercent: 0,
};

const check = {
  path: '/healthz',
  expectedStatuses: [{ from: 200, to: 299 }],
  service: 'orders',
  intervalMs: 1_000,
  timeoutMs: 500,
  healthyThreshold: 1,
  unhealthyThreshold: 2,
} as const;
const warmup = { durationMs: 30_000, minPercent: 10, aggression: 1 };

/** Every field of a destination's traffic at least once. */
const traffics: Readonly<Record<string, ClusterTraffic>> = {
  'round-robin': {
    loadBalancer: { type: 'round-robin', warmup },
    outlier,
    healthCheck: { ...check, type: 'http', host: 'check.example.com' },
  },
  'least-request': { loadBalancer: { type: 'least-request', warmup }, healthCheck: { ...check, type: 'tcp' } },
  random: { loadBalancer: { type: 'random' }, healthCheck: { ...check, type: 'grpc' }, retryBudget: { percent: 25, minRetries: 5 } },
  ring: {
    loadBalancer: {
      type: 'hash',
      on: { type: 'cookie', name: 'c', path: '/', ttlMs: 60_000 },
      table: { type: 'ring', minimumRingSize: 1_024 },
    },
  },
  maglev: { loadBalancer: { type: 'hash', on: { type: 'header', name: 'x-user' }, table: { type: 'maglev', tableSize: 65_537 } } },
  query: { loadBalancer: { type: 'hash', on: { type: 'query', name: 'user' }, table: { type: 'maglev', tableSize: 65_537 } } },
  source: { loadBalancer: { type: 'hash', on: { type: 'source-address' }, table: { type: 'ring', minimumRingSize: 1 } } },
  connections: {
    connections: {
      maxConnections: 10,
      maxPendingRequests: 20,
      maxRequests: 30,
      maxRetries: 4,
      maxRequestsPerConnection: 100,
      connectTimeoutMs: 250,
      idleTimeoutMs: 5_000,
      maxConnectionDurationMs: 60_000,
      tcpKeepalive: { probes: 3, timeMs: 60_000, intervalMs: 10_000 },
      h2Upgrade: true,
    },
  },
  mutual: {
    tls: {
      mode: 'mutual',
      sni: 'api.example.com',
      subjectAltNames: ['api.example.com', 'spiffe://other/x'],
      caFile: '/etc/ssl/certs/ca-certificates.crt',
      insecureSkipVerify: true,
    },
  },
  simple: { tls: { mode: 'simple', sni: 'api.example.com', subjectAltNames: [] } },
};

const tls = {
  sni: 'outbound_.80_._.reviews.shop.mesh.internal',
  uriSans: ['spiffe://mesh.test/ns/shop/sa/reviews'],
  clusterSan: 'east.cluster.mesh.test',
};

/** One service of all rules, one of all subsets of traffic, and one of each protocol with L4 rules. */
export function trafficResources(): Readonly<Record<string, readonly Resource[]>> {
  const endpoints = [place(1, { tls, locality: 'eu/a/' }), place(2, { locality: 'eu/b/' }), place(3, { priority: 1, unhealthy: true })];
  const localities = [
    { priority: 0, locality: 'eu/a/', weight: 80 },
    { priority: 0, locality: 'eu/b/', weight: 20 },
  ];
  const l4 = (service: string, port: number) => {
    const to = (name: string, weight = 1) => ({ destination: { cluster: clusterName(service, name, port) }, weight });
    const from = { destinationSubnets: [], sniHosts: [], sourceLabels: {} };
    return {
      virtualHosts: [],
      l4: [
        { name: 'named', matches: [{ ...from, sniHosts: ['a.example.com', '*.b.example.com'] }], destinations: [to('v1')] },
        {
          name: 'for web',
          matches: [{ ...from, destinationSubnets: ['10.0.0.0/8', 'fd00::/8'], sourceLabels: { app: 'web' } }],
          destinations: [to('v2')],
        },
        { name: 'for others', matches: [{ ...from, sourceNamespace: 'other' }], destinations: [to('v2')] },
        { name: 'rest', matches: [], destinations: [to('v1', 3), to('v2', 1)] },
      ],
    };
  };
  const both = { v1: { endpoints }, v2: { endpoints, localities }, '': { endpoints } };
  return {
    'shop/reviews': serviceResources('reviews', {
      routing: httpRouting(rules),
      subsets: { ...both, v1: { endpoints, traffic: traffics['ring'] ?? {} } },
    }),
    'shop/traffic': serviceResources('traffic', {
      subsets: {
        '': { endpoints },
        ...Object.fromEntries(Object.entries(traffics).map(([name, traffic]) => [name, { endpoints, traffic, localities }])),
      },
    }),
    'shop/secure': serviceResources('secure', { protocol: 'tls', port: 443, routing: l4('secure', 443), subsets: both }),
    'shop/hashed': serviceResources('hashed', {
      protocol: 'tcp',
      port: 5432,
      subsets: { '': { endpoints, traffic: { ...traffics['source'], healthCheck: { ...check, type: 'grpc' } } } },
    }),
  };
}
