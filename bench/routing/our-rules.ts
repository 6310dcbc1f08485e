import type { ClusterRef, HttpAction, HttpRule, Routing } from '../../core/traffic/index.ts';
import type { Rules } from '../../gateway/tables.ts';
import type { Backends } from './backends.ts';
import { host } from './callers.ts';

export type Ports = Pick<Backends, 'http1' | 'http2' | 'grpc'>;

/** A handful of rules, the last of which most requests come to; envoy-config.ts has the same. */
export function ourRules({ http1, http2, grpc }: Ports): Rules {
  const clusters = new Map(
    [['http1', http1, 'http'] as const, ['http2', http2, 'http2'] as const, ['grpc', grpc, 'grpc'] as const].map(
      ([name, port, protocol]) => {
        const place = { cluster: 'east', network: '', locality: '', runtime: 'vm', instance: name };
        const endpoint = { ...place, address: '127.0.0.1', port, weight: 1, priority: 0, viaGateway: false, stale: false, draining: false };
        return [name, { name, host, namespace: 'shop', service: 'orders', protocol, connectTimeoutMs: 5_000, endpoints: [endpoint] }];
      },
    ),
  );
  const plain = new Map([['orders', { clusterName: 'http1', protocol: 'http' as const, routingName: 'orders', allow: 'any' as const }]]);
  return { sni: new Map(), plain, clusters, routings: new Map([['orders', routing]]) };
}

const any = { headers: [], query: [], sourceLabels: {} };

const to = (cluster: string): HttpAction<ClusterRef> => ({
  type: 'route',
  destinations: [{ destination: { cluster }, weight: 1 }],
  timeoutMs: 5_000,
  mirrors: [],
});

const rules: readonly HttpRule<ClusterRef>[] = [
  { name: 'canary', matches: [{ ...any, headers: [{ name: 'x-canary', value: { type: 'exact', value: 'yes' } }] }], action: to('http1') },
  { name: 'admin', matches: [{ ...any, path: { type: 'regex', value: '/admin/[a-z]+' } }], action: { type: 'direct', status: 403 } },
  {
    name: 'old',
    matches: [{ ...any, path: { type: 'exact', value: '/old' } }],
    action: { type: 'redirect', status: 301, path: { type: 'full', value: '/new' } },
  },
  { name: 'h2', matches: [{ ...any, path: { type: 'segments', value: '/h2' } }], action: to('http2') },
  { name: 'grpc', matches: [{ ...any, path: { type: 'prefix', value: '/shop.Orders/' } }], action: to('grpc') },
  { name: 'default', matches: [], action: to('http1'), requestHeaders: { set: [['x-route', 'default']], add: [], remove: [] } },
];

const routing: Routing = { virtualHosts: [{ name: 'orders', domains: ['*'], rules }], l4: [] };
