import type { FieldCase } from '../case.ts';

/** A VirtualService for reviews whose first rule leads to v2 on these conditions, and its second one to v1. */
function choice(match: string, more = ''): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
    - name: chosen
      match:
${match}
      route: [{destination: {host: reviews, subset: v2}}]
    - name: others
      route: [{destination: {host: reviews, subset: v1}}]
${versions}${more}`;
}

const versions = `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}, {name: v3, labels: {version: v3}}]
`;

const leads = (by: string, ask: FieldCase['steps'][number]['ask']) => ({ ask, expect: { status: 200, by } });

export const matchCases: readonly FieldCase[] = [
  {
    name: 'uri exact',
    config: choice('        - uri: {exact: /a}'),
    steps: [leads('v2', { path: '/a' }), leads('v2', { path: '/a?q=1' }), leads('v1', { path: '/a/' }), leads('v1', { path: '/A' })],
  },
  {
    name: 'uri prefix',
    config: choice('        - uri: {prefix: /a}'),
    steps: [leads('v2', { path: '/ab/c' }), leads('v1', { path: '/b/a' })],
  },
  {
    name: 'uri regex',
    config: choice('        - uri: {regex: "/v[0-9]+"}'),
    steps: [leads('v2', { path: '/v12?x' }), leads('v1', { path: '/v12/x' }), leads('v1', { path: '/x/v1' })],
  },
  {
    name: 'ignoreUriCase',
    config: choice('        - {uri: {prefix: /Case}, ignoreUriCase: true}\n        - {uri: {exact: /EXACT}, ignoreUriCase: true}'),
    steps: [leads('v2', { path: '/cASE/1' }), leads('v2', { path: '/exact' }), leads('v1', { path: '/exact/1' })],
  },
  {
    name: 'scheme',
    config: choice(
      '        - {uri: {prefix: /e}, scheme: {exact: http}}\n        - {uri: {prefix: /p}, scheme: {prefix: https}}\n        - {uri: {prefix: /r}, scheme: {regex: "htt."}}',
    ),
    steps: [leads('v2', { path: '/e' }), leads('v1', { path: '/p' }), leads('v2', { path: '/r' })],
  },
  {
    name: 'method',
    config: choice(
      '        - {uri: {prefix: /e}, method: {exact: PUT}}\n        - {uri: {prefix: /p}, method: {prefix: P}}\n        - {uri: {prefix: /r}, method: {regex: "GET|HEAD"}}',
    ),
    steps: [
      leads('v2', { path: '/e', method: 'PUT' }),
      leads('v1', { path: '/e', method: 'POST' }),
      leads('v2', { path: '/p', method: 'POST' }),
      leads('v1', { path: '/r', method: 'POST' }),
      leads('v2', { path: '/r' }),
    ],
  },
  {
    name: 'authority',
    config: choice(
      '        - {uri: {prefix: /e}, authority: {exact: shop.example.com}}\n        - {uri: {prefix: /p}, authority: {prefix: shop.}}\n        - {uri: {prefix: /r}, authority: {regex: ".*[.]org"}}',
    ),
    steps: [
      leads('v2', { path: '/e', headers: { host: 'Shop.Example.com:8080' } }),
      leads('v1', { path: '/e', headers: { host: 'example.com' } }),
      leads('v2', { path: '/p', headers: { host: 'shop.example.org' } }),
      leads('v2', { path: '/r', headers: { host: 'shop.example.org' } }),
      leads('v1', { path: '/r', headers: { host: 'shop.example.com' } }),
    ],
  },
  {
    name: 'headers',
    config: choice(
      '        - {uri: {prefix: /e}, headers: {x-a: {exact: one}}}\n        - {uri: {prefix: /p}, headers: {x-a: {prefix: on}}}\n        - {uri: {prefix: /r}, headers: {x-a: {regex: "o.e"}}}\n        - {uri: {prefix: /t}, headers: {x-a: {}}}\n        - {uri: {prefix: /m}, headers: {x-a: {exact: one}, x-b: {exact: two}}}',
    ),
    steps: [
      leads('v2', { path: '/e', headers: { 'X-A': 'one' } }),
      leads('v1', { path: '/e', headers: { 'x-a': 'One' } }),
      leads('v1', { path: '/e' }),
      leads('v2', { path: '/p', headers: { 'x-a': 'once' } }),
      leads('v2', { path: '/r', headers: { 'x-a': 'ole' } }),
      leads('v1', { path: '/r', headers: { 'x-a': 'olea' } }),
      leads('v2', { path: '/t', headers: { 'x-a': 'any' } }),
      leads('v1', { path: '/t' }),
      leads('v1', { path: '/m', headers: { 'x-a': 'one' } }),
      leads('v2', { path: '/m', headers: { 'x-a': 'one', 'x-b': 'two' } }),
    ],
  },
  {
    name: 'withoutHeaders',
    config: choice(
      '        - {uri: {prefix: /e}, withoutHeaders: {x-a: {exact: one}}}\n        - {uri: {prefix: /r}, withoutHeaders: {x-a: {regex: "[a-c]+"}}}\n        - {uri: {prefix: /t}, withoutHeaders: {x-a: {}}}',
    ),
    steps: [
      leads('v1', { path: '/e', headers: { 'x-a': 'one' } }),
      leads('v2', { path: '/e', headers: { 'x-a': 'two' } }),
      leads('v2', { path: '/e' }),
      leads('v1', { path: '/r', headers: { 'x-a': 'abc' } }),
      leads('v2', { path: '/r', headers: { 'x-a': 'd' } }),
      leads('v1', { path: '/t', headers: { 'x-a': 'any' } }),
      leads('v2', { path: '/t' }),
    ],
  },
  {
    name: 'headers on several lines',
    config: choice(
      '        - {uri: {prefix: /e}, headers: {x-a: {exact: one}}}\n        - {uri: {prefix: /j}, headers: {x-a: {exact: "one,two"}}}\n        - {uri: {prefix: /n}, withoutHeaders: {x-a: {exact: one}}}\n        - {uri: {prefix: /l}, headers: {accept: {exact: "one,two"}}}\n        - {uri: {prefix: /s}, headers: {accept: {exact: one}}}',
    ),
    steps: [
      leads('v2', { path: '/e', headers: { 'x-a': ['one', 'two'] } }),
      leads('v2', { path: '/e', headers: { 'x-a': ['two', 'one'] } }),
      leads('v1', { path: '/e', headers: { 'x-a': ['two', 'three'] } }),
      leads('v1', { path: '/j', headers: { 'x-a': ['one', 'two'] } }),
      leads('v2', { path: '/j', headers: { 'x-a': 'one,two' } }),
      leads('v1', { path: '/n', headers: { 'x-a': ['two', 'one'] } }),
      leads('v2', { path: '/n', headers: { 'x-a': ['two', 'three'] } }),
      leads('v2', { path: '/l', headers: { accept: ['one', 'two'] } }),
      leads('v1', { path: '/s', headers: { accept: ['one', 'two'] } }),
    ],
  },
  {
    name: 'queryParams',
    config: choice(
      '        - {uri: {exact: /e}, queryParams: {q: {exact: one}}}\n        - {uri: {exact: /p}, queryParams: {q: {prefix: on}}}\n        - {uri: {exact: /r}, queryParams: {q: {regex: "o.e"}}}\n        - {uri: {exact: /t}, queryParams: {q: {}}}',
    ),
    steps: [
      leads('v2', { path: '/e?a=b&q=one' }),
      leads('v1', { path: '/e?q=two' }),
      leads('v1', { path: '/e' }),
      leads('v2', { path: '/p?q=once' }),
      leads('v2', { path: '/r?q=ole' }),
      leads('v1', { path: '/r?q=oleo' }),
      leads('v2', { path: '/t?q' }),
      leads('v1', { path: '/t?qq=1' }),
    ],
  },
  {
    name: 'port',
    config: choice('        - {port: 8080}'),
    services: [{ name: 'reviews', ports: { 80: 'http', 8080: 'http' }, instances: { v1: {}, v2: {} } }],
    steps: [leads('v2', { port: 8080 }), leads('v1', { port: 80 })],
  },
  {
    name: 'source labels and namespace',
    config: choice(
      '        - {name: this, uri: {prefix: /l}, sourceLabels: {app: web, tier: front}}\n        - {uri: {prefix: /n}, sourceNamespace: shop}\n        - {uri: {prefix: /o}, sourceLabels: {app: other}}\n        - {uri: {prefix: /m}, sourceNamespace: other}',
    ),
    steps: [leads('v2', { path: '/l' }), leads('v2', { path: '/n' }), leads('v1', { path: '/o' }), leads('v1', { path: '/m' })],
  },
  {
    name: 'gateways of a match, and of the object',
    config: choice('        - {uri: {prefix: /g}, gateways: [some-gateway]}\n        - {uri: {prefix: /m}, gateways: [mesh]}').replace(
      '  http:',
      '  gateways: [mesh, some-gateway]\n  http:',
    ),
    steps: [leads('v1', { path: '/g' }), leads('v2', { path: '/m' })],
  },
  {
    name: 'a namespace that an object is not exported to',
    config: choice('        - {uri: {prefix: /}}').replace('  http:', '  exportTo: ["."]\n  http:'),
    steps: [{ ask: {}, times: 12, expect: { status: 200, by: ['v1', 'v2', 'v3'] } }],
  },
];
