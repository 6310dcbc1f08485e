import type { FieldCase, ServiceSpec, Step } from '../case.ts';

const web: readonly ServiceSpec[] = ['v1', 'v2', 'v3'].map((name, i) => ({
  name: i === 0 ? 'reviews' : `reviews-${name}`,
  instances: { [name]: {} },
}));

/** An HTTPRoute for the callers of reviews. */
function route(rules: string, parent = '{group: "", kind: Service, name: reviews}'): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: reviews}
spec:
  parentRefs: [${parent}]
  rules:
${rules}
`;
}

const to = (name: string) => `backendRefs: [{name: ${name}, port: 80}]`;
const leads = (by: string, ask: Step['ask']): Step => ({ ask, expect: { status: 200, by } });
const moved = (path: string, status: number, location: string): Step => ({
  ask: { path },
  expect: { status, told: { location }, cameInAll: 0 },
});
/** The v3 of another namespace, and whether it may be referred to. */
const apart: readonly ServiceSpec[] = [...web, { name: 'apart', apart: true, instances: { far: {} } }];
const toApart = '    - backendRefs: [{group: "", kind: Service, namespace: $NS-apart, name: apart, port: 80}]';
const grant = (to: string) => `---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: routes, namespace: $NS-apart}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: $NS}]
  to: [${to}]
`;

export const gatewayApiCases: readonly FieldCase[] = [
  {
    name: 'HTTPRoute: paths and methods',
    config:
      route(`    - matches: [{path: {type: Exact, value: /exact}}, {path: {type: PathPrefix, value: /pre}}, {path: {type: RegularExpression, value: "/r[0-9]+"}}]
      ${to('reviews-v2')}
    - matches: [{method: PUT}]
      ${to('reviews-v3')}
    - name: others
      matches: [{path: {type: Exact, value: /exact/}}, {path: {value: /prefix}}]
      ${to('reviews')}`),
    services: web,
    steps: [
      leads('v2', { path: '/exact' }),
      leads('v1', { path: '/exact/' }),
      leads('v2', { path: '/pre/a' }),
      leads('v1', { path: '/prefix' }),
      leads('v2', { path: '/r12' }),
      leads('v3', { method: 'PUT' }),
      { ask: { path: '/r12/a' }, expect: { status: 404, cameInAll: 0 } },
    ],
  },
  {
    name: 'HTTPRoute: headers and query parameters',
    config: route(`    - matches:
        - {path: {value: /h}, headers: [{name: x-a, value: one}, {type: RegularExpression, name: x-b, value: "t.o"}]}
        - {path: {value: /q}, queryParams: [{type: Exact, name: a, value: one}, {type: RegularExpression, name: b, value: "t.o"}]}
      ${to('reviews-v2')}
    - ${to('reviews')}`),
    services: web,
    steps: [
      leads('v2', { path: '/h', headers: { 'x-a': 'one', 'x-b': 'two' } }),
      leads('v1', { path: '/h', headers: { 'x-a': 'one' } }),
      leads('v2', { path: '/q?a=one&b=two' }),
      leads('v1', { path: '/q?a=one&b=three' }),
    ],
  },
  {
    name: 'HTTPRoute: header filters of a rule and of a backend',
    config: route(`    - filters:
        - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-set, value: rule}], add: [{name: x-add, value: rule}], remove: [x-gone]}}
        - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-told, value: rule}], add: [{name: x-more, value: rule}], remove: [x-secret]}}
      backendRefs:
        - name: reviews
          port: 80
          filters:
            - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-own, value: backend}]}}
            - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-two, value: backend}]}}`),
    services: web,
    steps: [
      {
        behave: { v1: { headers: { 'x-secret': '1', 'x-told': 'app' } } },
        ask: { headers: { 'x-gone': '1', 'x-set': 'caller', 'x-add': 'caller' } },
        expect: {
          status: 200,
          saw: { headers: { 'x-set': 'rule', 'x-add': 'caller,rule', 'x-gone': null, 'x-own': 'backend' } },
          told: { 'x-told': 'rule', 'x-more': 'rule', 'x-secret': null, 'x-two': 'backend' },
        },
      },
    ],
  },
  {
    name: 'HTTPRoute: redirects',
    config: route(`    - matches: [{path: {type: Exact, value: /full}}]
      filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: new.example.com, port: 8443, statusCode: 302, path: {type: ReplaceFullPath, replaceFullPath: /there}}}]
    - matches: [{path: {value: /old}}]
      filters: [{type: RequestRedirect, requestRedirect: {hostname: new.example.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}, statusCode: 301}}]`),
    services: web,
    steps: [moved('/full', 302, 'https://new.example.com:8443/there')],
  },
  {
    name: 'HTTPRoute: rewrites',
    config: route(`    - matches: [{path: {value: /old}}]
      filters: [{type: URLRewrite, urlRewrite: {hostname: other.example.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}]
      ${to('reviews')}
    - matches: [{path: {value: /any}}]
      filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /one}}}]
      ${to('reviews')}`),
    services: web,
    steps: [
      { ask: { path: '/old/a?q=1' }, expect: { status: 200, saw: { path: '/new/a?q=1', headers: { host: 'other.example.com' } } } },
      { ask: { path: '/any/a?q=1' }, expect: { status: 200, saw: { path: '/one?q=1' } } },
    ],
  },
  {
    name: 'HTTPRoute: mirrors, by percent and by fraction',
    config: route(`    - matches: [{path: {value: /all}}]
      filters: [{type: RequestMirror, requestMirror: {backendRef: {group: "", kind: Service, name: reviews-v2, port: 80}}}]
      ${to('reviews')}
    - matches: [{path: {value: /none}}]
      filters: [{type: RequestMirror, requestMirror: {backendRef: {namespace: $NS, name: reviews-v2, port: 80}, percent: 0}}]
      ${to('reviews')}
    - filters:
        - {type: RequestMirror, requestMirror: {backendRef: {name: reviews-v2, port: 80}, fraction: {numerator: 7, denominator: 7}}}
        - {type: RequestMirror, requestMirror: {backendRef: {name: reviews-v3, port: 80}, percent: 100}}
      ${to('reviews')}`),
    services: web,
    steps: [
      { ask: { path: '/all' }, times: 5, expect: { status: 200, by: 'v1', came: { v1: 5, v2: 5, v3: 0 } } },
      { ask: { path: '/none' }, times: 5, expect: { status: 200, by: 'v1', came: { v1: 5, v2: 0, v3: 0 } } },
      { ask: {}, times: 5, expect: { status: 200, by: 'v1', came: { v1: 5, v2: 5, v3: 5 } } },
    ],
  },
  {
    name: 'HTTPRoute: CORS',
    config: route(`    - filters:
        - type: CORS
          cors: {allowOrigins: ["https://shop.example.com", "https://*.example.org"], allowMethods: [GET, PUT], allowHeaders: [x-a], exposeHeaders: [x-b], maxAge: 60, allowCredentials: true}
      ${to('reviews')}`),
    services: web,
    steps: [
      ...['https://shop.example.com', 'https://any.example.org'].map((origin) => ({
        ask: { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT' } },
        expect: {
          status: 200,
          cameInAll: 0,
          told: {
            'access-control-allow-origin': origin,
            'access-control-allow-methods': 'GET,PUT',
            'access-control-allow-headers': 'x-a',
            'access-control-max-age': '60',
            'access-control-allow-credentials': 'true',
          },
        },
      })),
      {
        ask: { headers: { origin: 'https://shop.example.com' } },
        expect: { status: 200, by: 'v1', told: { 'access-control-expose-headers': 'x-b' } },
      },
      { ask: { headers: { origin: 'https://evil.example.com' } }, expect: { status: 200, told: { 'access-control-allow-origin': null } } },
    ],
  },
  {
    name: 'HTTPRoute: weights, 99/1',
    config: route(
      '    - backendRefs: [{name: reviews, port: 80, weight: 99}, {name: reviews-v2, port: 80, weight: 1}, {name: reviews-v3, port: 80, weight: 0}]',
    ),
    services: web,
    steps: [{ ask: {}, times: 1_000, atOnce: 10, expect: { status: 200, by: ['v1', 'v2'], shares: { v1: 99, v2: 1 } } }],
  },
  {
    name: 'HTTPRoute: timeouts',
    config: route(`    - matches: [{path: {value: /whole}}]
      timeouts: {request: 300ms}
      ${to('reviews')}
    - matches: [{path: {value: /once}}]
      retry: {attempts: 0}
      timeouts: {backendRequest: 300ms}
      ${to('reviews')}
    - timeouts: {request: 5s, backendRequest: 300ms}
      ${to('reviews')}`),
    services: web,
    steps: [
      { behave: { v1: { delayMs: 2_000 } }, ask: { path: '/whole' }, expect: { status: 504, atLeastMs: 300, came: { v1: 1 } } },
      { behave: { v1: { delayMs: 2_000 } }, ask: { path: '/once' }, expect: { status: 504, atLeastMs: 300, came: { v1: 1 } } },
      { ask: {}, expect: { status: 504, atLeastMs: 300 } },
    ],
  },
  {
    name: 'HTTPRoute: retry',
    config: route(`    - retry: {codes: [418, 503], attempts: 2, backoff: 10ms}
      ${to('reviews')}`),
    services: web,
    steps: [
      { behave: { v1: { status: 418, first: 2 } }, ask: {}, expect: { status: 200, came: { v1: 3 } } },
      { behave: { v1: { status: 418 } }, ask: {}, expect: { status: 418, came: { v1: 3 } } },
      { behave: { v1: { status: 500 } }, ask: {}, expect: { status: 500, came: { v1: 1 } } },
    ],
  },
  {
    name: 'HTTPRoute: one port of a service is the parent',
    config: route(`    - ${to('reviews-v2')}`, '{group: "", kind: Service, namespace: $NS, name: reviews, port: 8080}'),
    services: [{ name: 'reviews', ports: { 80: 'http', 8080: 'http' }, instances: { v1: {} } }, ...web.slice(1)],
    steps: [leads('v1', { port: 80 }), leads('v2', { port: 8080 })],
  },
  {
    name: 'HTTPRoute: ServiceImports as parent and as backend',
    config: `${route(
      '    - backendRefs: [{group: multicluster.x-k8s.io, kind: ServiceImport, name: reviews-v2, port: 80}]',
      '{group: multicluster.x-k8s.io, kind: ServiceImport, name: reviews}',
    )}---
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceImport
metadata: {name: reviews-v2}
spec: {type: ClusterSetIP, ports: [{name: http, port: 80, protocol: TCP, appProtocol: http}], sessionAffinity: None}
`,
    services: web,
    steps: [leads('v2', {})],
  },
  {
    name: 'HTTPRoute: a backend in another namespace, granted by name',
    config: `${route(toApart)}${grant('{group: "", kind: Service, name: apart}')}`,
    services: apart,
    steps: [leads('far', {})],
  },
  {
    name: 'HTTPRoute: a backend in another namespace that another one is granted',
    config: `${route(toApart)}${grant('{group: "", kind: Service, name: other}')}`,
    services: apart,
    steps: [{ ask: {}, expect: { status: 500, cameInAll: 0 } }],
  },
  {
    name: 'HTTPRoute: nothing but weight 0',
    config: route('    - backendRefs: [{name: reviews, port: 80, weight: 0}]'),
    services: web,
    steps: [{ ask: {}, expect: { status: 500, cameInAll: 0 } }],
  },
];
