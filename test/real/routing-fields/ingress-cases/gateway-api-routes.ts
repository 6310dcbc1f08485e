import type { FieldCase, ServiceSpec } from '../case.ts';
import { answers, leads, listeners, route, servicesOf } from './objects.ts';

const at = (host: string, gate = 'web') => ({ gate, headers: { host } });
const rpc = (host: string, gate = 'web') => ({ ...at(host, gate), over: 'grpc' as const, path: '/shop.Reviews/Get' });
const apart = (services: readonly ServiceSpec[]) => services.map((service) => ({ ...service, apart: true as const }));
const http = (name: string, gate: string, routes: string) =>
  `{name: ${name}, port: $GATE(${gate}), protocol: HTTP, allowedRoutes: {namespaces: ${routes}}}`;

export const gatewayApiRouteCases: readonly FieldCase[] = [
  {
    name: 'Gateway API: allowedRoutes by namespace',
    config:
      listeners([
        http('same', 'same', '{from: Same}'),
        http('all', 'all', '{from: All}'),
        http('label', 'label', '{from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: $NS-apart}}}'),
        http(
          'listed',
          'listed',
          '{from: Selector, selector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [$NS-apart, other]}]}}',
        ),
      ]) +
      route('own', 'v1', { hostnames: '[own.example.com]' }) +
      route('apart', 'v2', { hostnames: '[apart.example.com]', apart: true }),
    services: [...servicesOf(['v1']), ...apart(servicesOf(['v2']))],
    steps: [
      leads('v1', at('own.example.com', 'same')),
      answers(404, at('apart.example.com', 'same')),
      leads('v1', at('own.example.com', 'all')),
      leads('v2', at('apart.example.com', 'all')),
      ...['label', 'listed'].flatMap((gate) => [answers(404, at('own.example.com', gate)), leads('v2', at('apart.example.com', gate))]),
    ],
  },
  {
    name: 'Gateway API: allowedRoutes by kind',
    config:
      listeners([
        '{name: http, port: $GATE(web), protocol: HTTP, allowedRoutes: {kinds: [{group: gateway.networking.k8s.io, kind: HTTPRoute}]}}',
        '{name: rpc, port: $GATE(rpc), protocol: HTTP, allowedRoutes: {kinds: [{kind: GRPCRoute}]}}',
      ]) +
      route('web', 'v1', { hostnames: '[web.example.com]' }) +
      route('rpc', 'v2', { kind: 'GRPCRoute', hostnames: '[rpc.example.com]' }),
    services: [...servicesOf(['v1']), ...servicesOf(['v2'], 'grpc')],
    steps: [
      leads('v1', at('web.example.com')),
      answers(404, at('web.example.com', 'rpc')),
      { ask: rpc('rpc.example.com', 'rpc'), expect: { status: 200, by: 'v2-1', trailers: { 'grpc-status': '0' } } },
      { ask: rpc('rpc.example.com'), expect: { told: { 'grpc-status': '12' }, cameInAll: 0 } },
    ],
  },
  {
    name: 'Gateway API: sectionName of HTTPRoute and GRPCRoute, and hostnames of both',
    config:
      listeners(['{name: first, port: $GATE(web), protocol: HTTP}', '{name: second, port: $GATE(more), protocol: HTTP}']) +
      route('one', 'v1', { section: 'first', hostnames: '["*.example.com"]' }) +
      route('two', 'v2', { section: 'second', hostnames: '["*.example.com"]' }) +
      route('rpc', 'v3', { kind: 'GRPCRoute', section: 'second', hostnames: '["*.rpc.example.com", rpc.example.org]' }),
    services: [...servicesOf(['v1', 'v2']), ...servicesOf(['v3'], 'grpc')],
    steps: [
      leads('v1', at('a.example.com')),
      leads('v2', at('a.example.com', 'more')),
      ...['a.rpc.example.com', 'rpc.example.org'].map((host) => leads('v3', rpc(host, 'more'))),
      answers(404, at('rpc.example.org')),
      answers(404, at('example.com', 'more')),
    ],
  },
];
