import type { FieldCase, ServiceSpec, Step } from './case.ts';
import { noRetries } from './cases/destination.ts';

export const callerNamespaces = ['web', 'bank'] as const;
type Namespace = (typeof callerNamespaces)[number];

/** The same config for callers of two namespaces, of which DestinationRules say different things. */
interface CallerCase extends Omit<FieldCase, 'steps'> {
  readonly steps: Readonly<Record<Namespace, readonly Step[]>>;
}

export function casesFor(namespace: Namespace): readonly FieldCase[] {
  return callerCases.map((each) => ({ ...each, steps: each.steps[namespace] }));
}

const one: readonly ServiceSpec[] = [{ name: 'reviews', ports: { 80: 'http', 81: 'http' }, instances: { v1: {} } }];

/** A DestinationRule; without `namespace` in that of the service. */
function rule(spec: string, namespace?: string, name = 'reviews'): string {
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}${namespace === undefined ? '' : `, namespace: ${namespace}`}}
spec:
  host: reviews.$NS.mesh.internal
${spec}
`;
}

const chosen = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews, subset: chosen}}]}]
`;
const leadTo = (version: string) => `  subsets: [{name: chosen, labels: {version: ${version}}}]`;
const answeredBy = (by: string): readonly Step[] => [{ ask: {}, times: 6, expect: { status: 200, by } }];

/** A connection for each request, which the rule says. */
const alone = '{connectionPool: {http: {maxRequestsPerConnection: 1}}}';
const carriedBy = (connections: number, port = 80): Step => ({ ask: { port }, times: 4, expect: { status: 200, connections } });

const outside = (sni: string, namespace: string) => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: outside, namespace: ${namespace}}
spec:
  host: backend.example.com
  trafficPolicy:
    tls: {mode: SIMPLE, caCertificates: $CERTS/ca.crt, sni: ${sni}, subjectAltNames: [backend.example.com]}
`;
const shownName = (sni: string): readonly Step[] => [{ ask: {}, expect: { status: 200, saw: { tls: { sni } } } }];

const ejecting = 'outlierDetection: {consecutive5xxErrors: 2, interval: 0.2s, baseEjectionTime: 30s, maxEjectionPercent: 100}';

const callerCases: readonly CallerCase[] = [
  {
    name: "subsets: the caller's namespace comes before the service's",
    config: `${rule(leadTo('v1'))}---${rule(leadTo('v2'), 'web', '$NS-subsets')}${chosen}`,
    steps: { web: answeredBy('v2'), bank: answeredBy('v1') },
  },
  {
    name: "subsets: the service's namespace comes before the root's, and the root's before none",
    config: `${rule(leadTo('v3'), 'isthmus-system', '$NS-root')}---${rule(`${leadTo('v1')}\n  exportTo: [bank]`)}${chosen}`,
    steps: { web: answeredBy('v3'), bank: answeredBy('v1') },
  },
  {
    name: 'loadBalancer',
    config: rule('  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}}', 'web', '$NS-hash'),
    steps: {
      web: [{ ask: { headers: { 'x-user': 'ann' } }, times: 30, expect: { status: 200, sticky: true } }],
      bank: [{ ask: { headers: { 'x-user': 'ann' } }, times: 30, expect: { status: 200, spread: 3 } }],
    },
  },
  {
    name: 'connectionPool, private to the namespace',
    config: rule(`  trafficPolicy: ${alone}\n  exportTo: ["."]`, 'web', '$NS-pool'),
    services: one,
    steps: { web: [carriedBy(4)], bank: [carriedBy(1)] },
  },
  {
    name: 'portLevelSettings',
    config: rule(
      '  trafficPolicy: {portLevelSettings: [{port: {number: 81}, connectionPool: {http: {maxRequestsPerConnection: 1}}}]}',
      'web',
      '$NS-ports',
    ),
    services: one,
    steps: { web: [carriedBy(1), carriedBy(4, 81)], bank: [carriedBy(1), carriedBy(1, 81)] },
  },
  {
    name: "exportTo of the service's own namespace",
    config: `${rule(`  trafficPolicy: ${alone}\n  exportTo: ["bank"]`)}`,
    services: one,
    steps: { web: [carriedBy(1)], bank: [carriedBy(4)] },
  },
  {
    name: "a rule that is private to the service's namespace is for neither",
    config: `${rule(`  trafficPolicy: ${alone}\n  exportTo: ["."]`)}`,
    services: one,
    steps: { web: [carriedBy(1)], bank: [carriedBy(1)] },
  },
  {
    name: 'outlierDetection',
    config: `${rule(`  trafficPolicy: {${ejecting}}`, 'web', '$NS-outlier')}${noRetries}`,
    steps: {
      web: [{ behave: { v1: { status: 500 } }, ask: {}, times: 9, eventually: true, expect: { status: 200, by: ['v2', 'v3'] } }],
      bank: [
        { behave: { v1: { status: 500 } }, ask: {}, times: 30, expect: {} },
        { ask: {}, times: 30, expect: { status: [200, 500], by: ['v1', 'v2', 'v3'] } },
      ],
    },
  },
  {
    name: 'tls, to a host outside the mesh',
    config: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: [backend.example.com]
  exportTo: ["*"]
  location: MESH_EXTERNAL
  ports: [{number: 443, name: web, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {web: $PORT(out)}}]
---${outside('web.example.com', 'web')}---${outside('all.example.com', '$NS')}`,
    services: [{ name: 'outside', entry: true, ports: { 443: 'http' }, instances: { out: { tls: true } } }],
    steps: { web: shownName('web.example.com'), bank: shownName('all.example.com') },
  },
];
