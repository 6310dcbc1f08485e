import fc from 'fast-check';
import type {
  ClusterRef,
  CorsPolicy,
  Fault,
  HeaderChanges,
  HttpAction,
  HttpMatch,
  HttpRule,
  IngressListener,
  IngressServer,
  L4Match,
  L4Rule,
  NamedMatch,
  PathMatch,
  RetryCondition,
  RetryPolicy,
  Routing,
  StringMatch,
  WeightedDestination,
} from '../../../core/traffic/index.ts';
import { allOf, someOf } from './optional.ts';

/** Compiled rules of every kind, all of them valid: what a control plane may send. */

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('__proto__', 'constructor', 'é'));
const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const label = fc.oneof({ weight: 9, arbitrary: word }, { weight: 1, arbitrary: fc.constantFrom('__proto__', 'toString') });
const pattern = fc.constantFrom('a.*', '(a|b)+', '[0-9]{1,3}', '', 'x(y)?z');
const percent = fc.double({ min: 0, max: 100, noNaN: true }).map((p) => p + 0);
const ms = fc.oneof(fc.nat(60_000), fc.constantFrom(0, 2 ** 31, 2 ** 40));
const status = fc.integer({ min: 200, max: 599 });
const few = { maxLength: 3 };

const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
  allOf({ type: fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const), value: text }),
  allOf({ type: fc.constant('regex' as const), value: pattern }),
);
const pathMatch: fc.Arbitrary<PathMatch> = fc.oneof(
  allOf({ type: fc.constantFrom('exact' as const, 'prefix' as const), value: text.map((path) => `/${path}`) }),
  allOf({ type: fc.constant('segments' as const), value: fc.constantFrom('/', '/a', '/a/b') }),
  allOf({ type: fc.constant('regex' as const), value: pattern }),
);
const namedMatch: fc.Arbitrary<NamedMatch> = someOf({ name: word }, { value: stringMatch, not: fc.boolean() });
const labels = fc.uniqueArray(fc.tuple(label, text), { ...few, selector: ([key]) => key }).map((pairs) => Object.fromEntries(pairs));

const httpMatches: fc.Arbitrary<HttpMatch> = someOf(
  { headers: fc.array(namedMatch, few), query: fc.array(namedMatch, few), sourceLabels: labels },
  {
    name: text,
    path: pathMatch,
    ignoreCase: fc.boolean(),
    method: stringMatch,
    scheme: stringMatch,
    authority: stringMatch,
    sourceNamespace: text,
  },
);

const clusterRef: fc.Arbitrary<ClusterRef> = fc.oneof(
  word.map((name) => ({ cluster: `outbound|80||${name}.b.mesh.internal` })),
  fc.constantFrom({ cluster: '', missing: 500 as const }, { cluster: '', missing: 503 as const }),
);
const pairs = fc.array(fc.tuple(word, fc.stringMatching(/^[ -~]{0,8}$/)), few);
const headerChanges: fc.Arbitrary<HeaderChanges> = allOf({ set: pairs, add: pairs, remove: fc.array(word, few) });
const someHeaders = { requestHeaders: headerChanges, responseHeaders: headerChanges };

const destinations: fc.Arbitrary<readonly WeightedDestination<ClusterRef>[]> = fc.array(
  someOf({ destination: clusterRef, weight: fc.integer({ min: 1, max: 1_000 }) }, someHeaders),
  { minLength: 1, maxLength: 3 },
);

const conditions: readonly RetryCondition[] = ['5xx', 'reset', 'connect-failure', 'retriable-status-codes', 'unavailable'];
const retries: fc.Arbitrary<RetryPolicy> = someOf(
  { attempts: fc.nat(10), on: fc.subarray([...conditions]), statusCodes: fc.array(status, few) },
  { perTryTimeoutMs: ms, backoffMs: ms, otherLocalities: fc.boolean(), ignorePreviousHosts: fc.boolean() },
);
const rewritten = fc.oneof(
  allOf({ type: fc.constantFrom('full' as const, 'prefix' as const), value: text }),
  fc.constant({ type: 'regex' as const, pattern: '(a)(b)?', substitution: '\\2-\\1-\\\\' }),
);

const action: fc.Arbitrary<HttpAction<ClusterRef>> = fc.oneof(
  someOf(
    {
      type: fc.constant('route' as const),
      destinations,
      mirrors: fc.array(allOf({ destination: clusterRef, percent }), few),
    },
    { rewrite: someOf({}, { authority: text, path: rewritten }), timeoutMs: ms, retries, byHash: fc.constant(true as const) },
  ),
  someOf(
    {
      type: fc.constant('redirect' as const),
      status: fc.constantFrom(301 as const, 302 as const, 303 as const, 307 as const, 308 as const),
    },
    {
      scheme: fc.constantFrom('http', 'https'),
      authority: text,
      port: fc.integer({ min: 1, max: 65_535 }),
      path: allOf({ type: fc.constantFrom('full' as const, 'prefix' as const), value: text }),
    },
  ),
  someOf({ type: fc.constant('direct' as const), status }, { body: fc.uint8Array({ maxLength: 8 }) }),
);

const cors: fc.Arbitrary<CorsPolicy> = someOf(
  {
    allowOrigins: fc.array(stringMatch, few),
    allowMethods: fc.array(word, few),
    allowHeaders: fc.array(word, few),
    exposeHeaders: fc.array(word, few),
  },
  { maxAgeS: fc.nat(), allowCredentials: fc.boolean(), forwardNotMatching: fc.boolean() },
);
const fault: fc.Arbitrary<Fault> = someOf(
  {},
  { delay: allOf({ percent, ms }), abort: someOf({ percent, status }, { grpcStatus: fc.nat(16) }) },
);

const httpRules: fc.Arbitrary<HttpRule<ClusterRef>> = someOf(
  { name: text, matches: fc.array(httpMatches, few), action },
  { ...someHeaders, cors, fault },
);

const l4Match: fc.Arbitrary<L4Match> = someOf(
  {
    destinationSubnets: fc.subarray(['10.0.0.0/8', 'fd00::/8', '0.0.0.0/0']),
    sniHosts: fc.subarray(['a.example', '*.example', '*']),
    sourceLabels: labels,
  },
  { sourceNamespace: text },
);
const l4Rule: fc.Arbitrary<L4Rule<ClusterRef>> = someOf(
  { name: text, matches: fc.array(l4Match, few), destinations },
  { byHash: fc.constant(true as const) },
);

export const routings: fc.Arbitrary<Routing> = allOf({
  virtualHosts: fc
    .uniqueArray(fc.tuple(word, fc.constantFrom('', '*.')), { ...few, selector: ([name]) => name })
    .chain((names) =>
      fc.tuple(
        ...names.map(([name, wild]) =>
          allOf({ name: text, domains: fc.constant([`${wild}${name}`, `${name}.x`]), rules: fc.array(httpRules, few) }),
        ),
      ),
    ),
  l4: fc.array(l4Rule, few),
});

const ingressServer: fc.Arbitrary<Omit<IngressServer, 'name'>> = fc.oneof(
  allOf({
    hosts: fc.subarray(['a.example', '*.example', '*']),
    protocol: fc.constantFrom('http' as const, 'tcp' as const, 'tls-passthrough' as const),
    httpsRedirect: fc.boolean(),
    routing: word,
  }),
  allOf({
    hosts: fc.subarray(['a.example', '*.example', '*']),
    protocol: fc.constantFrom('http' as const, 'tcp' as const),
    tls: allOf({
      mode: fc.constantFrom('simple' as const, 'mutual' as const, 'optional-mutual' as const),
      certFile: word,
      keyFile: word,
      caFile: word,
      minVersion: fc.constantFrom('1.2' as const, '1.3' as const),
      alpn: fc.subarray(['h2', 'http/1.1']),
    }),
    httpsRedirect: fc.boolean(),
    routing: word,
  }),
);

export const ingressListeners: fc.Arbitrary<IngressListener> = allOf({
  address: fc.constantFrom('', '0.0.0.0', '::1'),
  port: fc.integer({ min: 1, max: 65_535 }),
  servers: fc.array(ingressServer, few).map((servers) => servers.map((server, i) => ({ name: `server-${i}`, ...server }))),
});
