import type { ClusterRef, HttpAction, HttpRule, Routing } from '../../core/traffic/index.ts';

/** Where requests lead. */
export const httpCluster = 'orders';

const any = { headers: [], query: [], sourceLabels: {} };
const led: HttpAction<ClusterRef> = {
  type: 'route',
  destinations: [{ destination: { cluster: httpCluster }, weight: 1 }],
  mirrors: [],
};

/** A handful, the last of which all requests of the load come to; every contender has the same. */
const rules: readonly HttpRule<ClusterRef>[] = [
  { name: 'canary', matches: [{ ...any, headers: [{ name: 'x-canary', value: { type: 'exact', value: 'yes' } }] }], action: led },
  { name: 'admin', matches: [{ ...any, path: { type: 'exact', value: '/admin' } }], action: { type: 'direct', status: 403 } },
  { name: 'old', matches: [{ ...any, path: { type: 'segments', value: '/old' } }], action: { type: 'direct', status: 410 } },
  { name: 'default', matches: [], action: led, requestHeaders: { set: [['x-route', 'default']], add: [], remove: [] } },
];

export const httpRouting: Routing = { virtualHosts: [{ name: 'orders', domains: ['*'], rules }], l4: [] };
