import type { ClusterRef, HttpMatch, HttpRule, Routing } from '../../../core/traffic/index.ts';
import { pickWeighted, RequestView, Router } from '../../../gateway/routing/index.ts';

const any: HttpMatch = { headers: [], query: [], sourceLabels: {} };
const to = (...weights: readonly (readonly [string, number])[]): HttpRule<ClusterRef>['action'] => ({
  type: 'route',
  destinations: weights.map(([cluster, weight]) => ({ destination: { cluster }, weight })),
  mirrors: [],
});
const rule = (name: string, matches: readonly Partial<HttpMatch>[], action = to(['stable', 1])): HttpRule<ClusterRef> => ({
  name,
  matches: matches.map((match) => ({ ...any, ...match })),
  action,
});
const header = (name: string, type: 'exact' | 'prefix' | 'suffix', value: string, not = false) => ({
  headers: [{ name, value: { type, value }, ...(not ? { not } : {}) }],
});

/** Each way of matching, the more special ones first. */
const shop: readonly HttpRule<ClusterRef>[] = [
  rule('exact', [{ path: { type: 'exact', value: '/exact' } }]),
  rule('exact in any case', [{ path: { type: 'exact', value: '/AnyCase' }, ignoreCase: true }]),
  rule('prefix', [{ path: { type: 'prefix', value: '/pre' } }]),
  rule('segments', [{ path: { type: 'segments', value: '/seg/ments' } }]),
  rule('segments in any case', [{ path: { type: 'segments', value: '/Shout' }, ignoreCase: true }]),
  rule('method', [{ method: { type: 'exact', value: 'DELETE' } }]),
  rule('scheme', [{ scheme: { type: 'exact', value: 'https' } }]),
  rule('header', [header('x-exact', 'exact', 'yes')]),
  rule('header begins', [header('x-begins', 'prefix', 'a b')]),
  rule('header ends', [header('x-ends', 'suffix', '\u00e9')]),
  rule('one of the lines as a whole', [header('accept', 'exact', 'text/html,text/plain')]),
  rule('header is there', [{ headers: [{ name: 'x-there' }] }]),
  rule('pseudo', [header(':method', 'exact', 'PUT')]),
  rule('host of the request', [header('host', 'prefix', 'WWW')]),
  rule('query', [{ query: [{ name: 'q', value: { type: 'exact', value: '1' } }] }]),
  rule('query is there', [{ query: [{ name: 'flag' }] }]),
  rule('query is not', [{ path: { type: 'exact', value: '/no' }, query: [{ name: 'debug', not: true }] }]),
  rule('either', [{ path: { type: 'exact', value: '/a' } }, { path: { type: 'exact', value: '/b' }, ...header('x-b', 'exact', '1') }]),
  rule('authority', [{ authority: { type: 'prefix', value: 'Admin.' } }]),
  rule('all of it', [
    { path: { type: 'prefix', value: '/all' }, method: { type: 'exact', value: 'POST' }, ...header('x-all', 'exact', '1', true) },
  ]),
  rule('split', [{ path: { type: 'exact', value: '/split' } }], to(['stable', 80], ['canary', 15], ['none', 0], ['last', 5])),
];

const routing: Routing = {
  virtualHosts: [
    { name: 'shop', domains: ['shop.example', '*.shop.example'], rules: shop },
    { name: 'eu', domains: ['*.eu.shop.example'], rules: [rule('eu', [])] },
    {
      name: 'star',
      domains: ['*'],
      rules: [rule('root', [{ path: { type: 'segments', value: '/' }, method: { type: 'prefix', value: 'G' } }])],
    },
  ],
  l4: [],
};

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly authority?: string;
  readonly scheme?: string;
  readonly headers?: readonly string[];
  /** In [0, 1), for weights. */
  readonly random?: number;
}

const asked: readonly Asked[] = [
  ...['/exact', '/exact?x', '/exact/', '/exac', '/EXACT', '/anycase', '/ANYCASE?q', '/pre', '/prefix', '/pr'].map((path) => ({ path })),
  ...['/seg/ments', '/seg/ments/', '/seg/ments/x?y', '/seg/mentsx', '/seg', '/sHoUt/x', '/shouts', '*'].map((path) => ({ path })),
  { path: '/', method: 'DELETE' },
  { path: '/', method: 'delete' },
  { path: '/', scheme: 'https' },
  { path: '/', headers: ['x-exact', 'yes'] },
  { path: '/', headers: ['x-exact', 'Yes'] },
  { path: '/', headers: ['x-exact', 'no', 'x-exact', 'yes'] },
  { path: '/', headers: ['x-begins', 'a bc'] },
  { path: '/', headers: ['x-ends', 'caf\u00e9'] },
  { path: '/', headers: ['accept', 'text/html', 'accept', 'text/plain'] },
  { path: '/', headers: ['accept', 'text/html', 'x-other', '', 'accept', 'text/plain'] },
  { path: '/', headers: ['accept', 'text/plain', 'accept', 'text/html'] },
  { path: '/', headers: ['x-there', ''] },
  { path: '/', method: 'PUT' },
  { path: '/', authority: 'WWW.shop.example' },
  { path: '/', authority: 'www.shop.example' },
  ...['/?q=1', '/?q=2&q=1', '/?a&q=1', '/?Q=1', '/?flag', '/?flag=', '/?xflag', '/?q', '/?&&q=1', '/??q=1'].map((path) => ({ path })),
  ...['/no', '/no?debug', '/no?debug=0', '/no?debugging'].map((path) => ({ path })),
  ...['/a', '/b'].map((path) => ({ path })),
  { path: '/b', headers: ['x-b', '1'] },
  { path: '/', authority: 'admin.SHOP.example:8443' },
  { path: '/all', method: 'POST' },
  { path: '/all', method: 'POST', headers: ['x-all', '1'] },
  { path: '/all', method: 'POST', headers: ['x-all', '2', 'x-all', '1'] },
  ...['shop.example', 'SHOP.example:80', 'x.shop.example', '.shop.example', 'eu.shop.example', 'a.eu.shop.example', 'other', ''].map(
    (authority) => ({
      path: '/pre',
      authority,
    }),
  ),
  ...['[::1]', '[::1]:80', 'shop.example.', 'shop.example:'].map((authority) => ({ path: '/pre', authority })),
  { path: '/pre', method: 'POST', authority: 'other' },
  ...[0, 0.5, 0.7999, 0.8, 0.9499, 0.95, 0.9999].map((random) => ({ path: '/split', random })),
];

/** Requests with the rule that each falls under in TypeScript, and the cluster that it goes to. */
export function httpRouteVectors(): { readonly routing: Routing; readonly requests: readonly object[] } {
  const compiled = new Router({ namespace: '', labels: {} }).of(routing);
  const requests = asked.map(({ method = 'GET', path, authority = 'shop.example', scheme = 'http', headers = [], random = 0 }) => {
    const found = compiled.rule(new RequestView({ method, path, authority, scheme, headers }))?.rule;
    const destinations = found?.action.type === 'route' ? found.action.destinations : [];
    const cluster = pickWeighted(destinations, random)?.destination.cluster;
    return { method, path, authority, scheme, headers, random, rule: found?.name ?? null, cluster: cluster ?? null };
  });
  return { routing, requests };
}
