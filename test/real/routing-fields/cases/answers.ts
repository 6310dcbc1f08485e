import type { FieldCase, Step } from '../case.ts';

/** A VirtualService of one rule for everything, and reviews' versions as subsets. */
export function always(rule: string): string {
  return rules(`    - ${rule.trim().replaceAll('\n', '\n      ')}`);
}

export function rules(http: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
${http}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}, {name: v3, labels: {version: v3}}]
`;
}

export const toV1 = 'route: [{destination: {host: reviews, subset: v1}}]';
const moved = (path: string, status: number, location: string): Step => ({
  ask: { path },
  expect: { status, told: { location }, cameInAll: 0 },
});
const becomes = (path: string, seen: string): Step => ({ ask: { path }, expect: { status: 200, saw: { path: seen } } });

export const answerCases: readonly FieldCase[] = [
  {
    name: 'rewrite.uri of a prefix',
    config: rules(`    - {match: [{uri: {prefix: /old/}}], rewrite: {uri: /new/}, ${toV1}}
    - {match: [{uri: {prefix: /root/}}], rewrite: {uri: /}, ${toV1}}
    - {match: [{uri: {exact: /one}}], rewrite: {uri: /two}, ${toV1}}`),
    steps: [becomes('/old/a?q=1', '/new/a?q=1'), becomes('/root/a', '/a'), becomes('/one?q=1', '/two?q=1')],
  },
  {
    name: 'rewrite.authority',
    config: always(`rewrite: {authority: other.example.com}\n${toV1}`),
    steps: [{ ask: {}, expect: { status: 200, saw: { headers: { host: 'other.example.com' } } } }],
  },
  {
    name: 'rewrite.uriRegexRewrite',
    config: always(`rewrite: {uriRegexRewrite: {match: "^/service/([^/]+)(/.*)$", rewrite: '\\2/instance/\\1'}}\n${toV1}`),
    steps: [becomes('/service/foo/v1/api', '/v1/api/instance/foo'), becomes('/other', '/other')],
  },
  {
    name: 'redirect',
    config: rules(`    - match: [{uri: {exact: /full}}]
      redirect: {uri: /there, authority: new.example.com, scheme: https, port: 8443, redirectCode: 307}
    - match: [{uri: {prefix: /pre/}}]
      redirect: {prefixRewrite: /post/}
    - match: [{uri: {exact: /derived}}]
      redirect: {scheme: https, derivePort: FROM_PROTOCOL_DEFAULT}`),
    steps: [
      moved('/full', 307, 'https://new.example.com:8443/there'),
      moved('/pre/a?q=1', 301, 'http://reviews/post/a?q=1'),
      moved('/derived', 301, 'https://reviews:443/derived'),
    ],
  },
  {
    name: 'directResponse',
    config: rules(`    - {match: [{uri: {exact: /text}}], directResponse: {status: 418, body: {string: short and stout}}}
    - {match: [{uri: {exact: /bytes}}], directResponse: {status: 200, body: {bytes: aGVsbG8=}}}
    - {directResponse: {status: 503}}`),
    steps: [
      { ask: { path: '/text' }, expect: { status: 418, body: 'short and stout', cameInAll: 0 } },
      { ask: { path: '/bytes' }, expect: { status: 200, body: 'hello' } },
      { ask: {}, expect: { status: 503, body: '' } },
    ],
  },
  {
    name: 'headers of a rule and of a destination',
    config: always(`headers:
  request: {set: {x-a: rule, x-rule: "1"}, add: {x-c: rule}, remove: [x-gone]}
  response: {set: {x-told: rule}, add: {x-more: rule}, remove: [x-secret]}
route:
  - destination: {host: reviews, subset: v1}
    headers:
      request: {set: {x-a: destination}, add: {x-c: destination}, remove: [x-too]}
      response: {set: {x-two: destination}, add: {x-more: destination}, remove: [x-other]}`),
    steps: [
      {
        behave: { v1: { headers: { 'x-secret': '1', 'x-other': '1', 'x-kept': '1', 'x-told': 'app' } } },
        ask: { headers: { 'x-gone': '1', 'x-too': '1', 'x-c': 'caller', 'x-kept': '1' } },
        expect: {
          status: 200,
          saw: { headers: { 'x-rule': '1', 'x-gone': null, 'x-too': null, 'x-kept': '1' } },
          told: { 'x-told': 'rule', 'x-two': 'destination', 'x-secret': null, 'x-other': null, 'x-kept': '1' },
        },
      },
    ],
  },
  {
    name: 'headers that proxies write: set, removed and matched',
    config: rules(`    - match: [{uri: {exact: /set}}]
      headers: {request: {set: {x-request-id: fixed, x-forwarded-for: 192.0.2.9}}}
      ${toV1}
    - match: [{uri: {exact: /gone}}]
      headers: {request: {remove: [x-request-id, x-forwarded-for]}}
      ${toV1}
    - match: [{uri: {exact: /id}, headers: {x-request-id: {}, x-forwarded-for: {}}}]
      route: [{destination: {host: reviews, subset: v2}}]
    - ${toV1}`),
    steps: [
      { ask: { path: '/set' }, expect: { status: 200, saw: { headers: { 'x-request-id': 'fixed', 'x-forwarded-for': '192.0.2.9' } } } },
      {
        ask: { path: '/gone', headers: { 'x-request-id': 'mine', 'x-forwarded-for': '192.0.2.9' } },
        expect: { status: 200, saw: { headers: { 'x-request-id': null, 'x-forwarded-for': null } } },
      },
      { ask: { path: '/id' }, expect: { status: 200, by: 'v2' } },
    ],
  },
  {
    name: 'headers.request.set of the authority',
    config: always(`headers: {request: {set: {Host: other.example.com}}}\n${toV1}`),
    steps: [{ ask: {}, expect: { status: 200, saw: { headers: { host: 'other.example.com' } } } }],
  },
  {
    name: 'corsPolicy',
    config: rules(`    - match: [{uri: {prefix: /exact}}]
      corsPolicy:
        allowOrigins: [{exact: "https://shop.example.com"}, {prefix: "https://eu."}, {regex: "https://[a-z]+[.]example[.]org"}]
        allowMethods: [GET, PUT]
        allowHeaders: [x-a]
        exposeHeaders: [x-b]
        maxAge: 60s
        allowCredentials: true
      ${toV1}
    - match: [{uri: {prefix: /old}}]
      corsPolicy: {allowOrigin: ["https://shop.example.com"], allowMethods: [GET]}
      ${toV1}
    - match: [{uri: {prefix: /ignore}}]
      corsPolicy: {allowOrigins: [{exact: "https://shop.example.com"}], unmatchedPreflights: IGNORE}
      ${toV1}`),
    steps: [
      ...['https://shop.example.com', 'https://eu.example.net', 'https://any.example.org'].map((origin) => ({
        ask: { path: '/exact', method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT' } },
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
        ask: { path: '/exact', headers: { origin: 'https://shop.example.com' } },
        expect: {
          status: 200,
          by: 'v1',
          told: { 'access-control-allow-origin': 'https://shop.example.com', 'access-control-expose-headers': 'x-b' },
        },
      },
      {
        ask: { path: '/exact', headers: { origin: 'https://evil.example.com' } },
        expect: { status: 200, by: 'v1', told: { 'access-control-allow-origin': null } },
      },
      {
        ask: { path: '/old', method: 'OPTIONS', headers: { origin: 'https://shop.example.com', 'access-control-request-method': 'GET' } },
        expect: { status: 200, cameInAll: 0, told: { 'access-control-allow-origin': 'https://shop.example.com' } },
      },
      {
        ask: {
          path: '/ignore',
          method: 'OPTIONS',
          headers: { origin: 'https://evil.example.com', 'access-control-request-method': 'GET' },
        },
        expect: { status: 200, cameInAll: 0, told: { 'access-control-allow-origin': null } },
      },
    ],
  },
  {
    name: 'fault.abort',
    config: rules(`    - match: [{uri: {exact: /all}}]
      fault: {abort: {httpStatus: 555, percentage: {value: 100}}}
      ${toV1}
    - match: [{uri: {exact: /half}}]
      fault: {abort: {httpStatus: 418, percentage: {value: 50}}}
      ${toV1}`),
    steps: [
      { ask: { path: '/all' }, times: 3, expect: { status: 555, cameInAll: 0 } },
      { ask: { path: '/half' }, times: 200, atOnce: 10, expect: { status: [200, 418], shares: { '=418': 50 } } },
    ],
  },
  {
    name: 'answers of the proxy: what a rule says of headers and of other origins',
    config: rules(`    - match: [{uri: {exact: /led}}]
      headers: {response: {set: {x-told: rule}}}
      corsPolicy: {allowOrigins: [{exact: "https://a.example"}], allowMethods: [GET], allowHeaders: [x-a], exposeHeaders: [x-b], maxAge: 60s, allowCredentials: true, unmatchedPreflights: IGNORE}
      ${toV1}
    - match: [{uri: {exact: /direct}}]
      headers: {response: {set: {x-told: rule}, remove: [content-type]}}
      corsPolicy: {allowOrigins: [{exact: "https://a.example"}], allowMethods: [GET]}
      directResponse: {status: 203, body: {string: hi}}
    - match: [{uri: {exact: /typed}}]
      headers: {response: {set: {content-type: text/x-own}}}
      directResponse: {status: 203, body: {string: hi}}
    - match: [{uri: {exact: /moved}}]
      headers: {response: {set: {content-type: text/x-own}}}
      corsPolicy: {allowOrigins: [{exact: "https://a.example"}]}
      redirect: {uri: /z}`),
    steps: [
      {
        ask: { path: '/led', method: 'OPTIONS', headers: { origin: 'https://a.example', 'access-control-request-method': 'GET' } },
        expect: { status: 200, told: { 'x-told': null, 'access-control-allow-origin': 'https://a.example' } },
      },
      {
        ask: { path: '/led', method: 'OPTIONS', headers: { origin: 'https://b.example', 'access-control-request-method': 'GET' } },
        expect: {
          status: 200,
          cameInAll: 0,
          told: {
            'access-control-allow-origin': null,
            'access-control-expose-headers': null,
            'access-control-allow-credentials': 'true',
            'access-control-allow-methods': 'GET',
            'access-control-allow-headers': 'x-a',
            'access-control-max-age': '60',
          },
        },
      },
      ...['GET', 'OPTIONS'].map((method) => ({
        ask: { path: '/direct', method, headers: { origin: 'https://a.example', 'access-control-request-method': 'GET' } },
        expect: {
          status: 203,
          body: 'hi',
          told: { 'x-told': 'rule', 'content-type': 'text/plain', 'access-control-allow-origin': null },
        },
      })),
      { ask: { path: '/typed' }, expect: { status: 203, told: { 'content-type': 'text/x-own' } } },
      {
        ask: { path: '/moved', headers: { origin: 'https://a.example' } },
        expect: { status: 301, told: { 'content-type': null, 'access-control-allow-origin': null } },
      },
    ],
  },
  {
    name: 'fault.abort.grpcStatus',
    config: always(`fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}\n${toV1}`),
    steps: [
      { ask: {}, expect: { status: 200, body: 'fault filter abort', told: { 'grpc-status': null }, cameInAll: 0 } },
      {
        ask: { method: 'POST', headers: { 'content-type': 'application/grpc' } },
        expect: { status: 200, told: { 'grpc-status': '14' }, cameInAll: 0 },
      },
    ],
  },
  {
    name: 'fault.delay',
    config: rules(`    - match: [{uri: {exact: /all}}]
      fault: {delay: {fixedDelay: 0.3s, percentage: {value: 100}}}
      ${toV1}
    - match: [{uri: {exact: /percent}}]
      fault: {delay: {fixedDelay: 0.3s, percent: 100}}
      ${toV1}`),
    steps: [
      { ask: { path: '/all' }, expect: { status: 200, by: 'v1', atLeastMs: 300 } },
      { ask: { path: '/percent' }, expect: { status: 200, by: 'v1', atLeastMs: 300 } },
    ],
  },
];
