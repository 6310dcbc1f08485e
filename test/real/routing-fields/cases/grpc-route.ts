import type { Expectation, FieldCase, ServiceSpec } from '../case.ts';

const services: readonly ServiceSpec[] = ['v1', 'v2', 'v3'].map((name, i) => ({
  name: i === 0 ? 'reviews' : `reviews-${name}`,
  ports: { 80: 'grpc' },
  instances: { [name]: {} },
}));
const over = 'grpc' as const;
const by = (instance: string): Expectation => ({ status: 200, by: instance, trailers: { 'grpc-status': '0' } });

function route(rules: string, parent = '{group: "", kind: Service, name: reviews}'): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: reviews}
spec:
  parentRefs: [${parent}]
  rules:
${rules}
`;
}

const to = (name: string) => `backendRefs: [{name: ${name}, port: 80}]`;

export const grpcRouteCases: readonly FieldCase[] = [
  {
    name: 'GRPCRoute: methods and headers',
    config: route(
      `    - name: one
      matches: [{method: {type: Exact, service: shop.Reviews, method: Get}}, {method: {type: RegularExpression, service: "shop[.]O.*"}}]
      ${to('reviews-v2')}
    - matches: [{headers: [{type: Exact, name: tenant, value: blue}, {type: RegularExpression, name: x-a, value: "o.e"}]}]
      ${to('reviews-v3')}
    - matches: [{method: {service: shop.Reviews}}]
      ${to('reviews')}`,
      '{group: "", kind: Service, namespace: $NS, name: reviews, port: 80}',
    ),
    services,
    steps: [
      { ask: { over, path: '/shop.Reviews/Get' }, expect: by('v2') },
      { ask: { over, path: '/shop.Reviews/List' }, expect: by('v1') },
      { ask: { over, path: '/shop.Orders/Any' }, expect: by('v2') },
      { ask: { over, path: '/shop.Stars/Get', headers: { tenant: 'blue', 'x-a': 'one' } }, expect: by('v3') },
      {
        ask: { over, path: '/shop.Stars/Get', headers: { tenant: 'blue' } },
        expect: { status: 200, told: { 'grpc-status': '12' }, cameInAll: 0 },
      },
    ],
  },
  {
    name: 'GRPCRoute: filters',
    config: route(`    - filters:
        - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-set, value: rule}], add: [{name: x-add, value: rule}], remove: [x-gone]}}
        - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-told, value: rule}]}}
        - {type: RequestMirror, requestMirror: {backendRef: {group: "", kind: Service, namespace: $NS, name: reviews-v2, port: 80}, percent: 100}}
        - {type: RequestMirror, requestMirror: {backendRef: {name: reviews-v3, port: 80}, fraction: {numerator: 1, denominator: 1}}}
      backendRefs:
        - group: ""
          kind: Service
          namespace: $NS
          name: reviews
          port: 80
          filters:
            - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-own, value: backend}]}}
            - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-two, value: backend}]}}`),
    services,
    steps: [
      {
        ask: { over, headers: { 'x-gone': '1' } },
        times: 3,
        expect: {
          ...by('v1'),
          saw: { headers: { 'x-set': 'rule', 'x-add': 'rule', 'x-gone': null, 'x-own': 'backend' } },
          told: { 'x-told': 'rule', 'x-two': 'backend' },
          came: { v1: 3, v2: 3, v3: 3 },
        },
      },
    ],
  },
  {
    name: 'GRPCRoute: weights',
    config: route('    - backendRefs: [{name: reviews, port: 80, weight: 90}, {name: reviews-v2, port: 80, weight: 10}]'),
    services,
    steps: [{ ask: { over }, times: 400, atOnce: 10, expect: { status: 200, shares: { v1: 90, v2: 10 } } }],
  },
];
