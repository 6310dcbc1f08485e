import type { FieldCase, ServiceSpec } from '../case.ts';

function entry(spec: string, kind = 'ServiceEntry', name = 'outside'): string {
  return `
apiVersion: networking.istio.io/v1
kind: ${kind}
metadata: {name: ${name}}
spec:
${spec}
`;
}

const ports = '  ports: [{number: 80, name: web, protocol: HTTP}]';
const web = (...names: readonly string[]): readonly ServiceSpec[] => [
  { name: 'outside', entry: true, instances: Object.fromEntries(names.map((name) => [name, {}])) },
];

/** Of ServiceEntries, and the WorkloadEntries that they select. */
export const entryCases: readonly FieldCase[] = [
  {
    name: 'ServiceEntry: addresses, ports, weights and labels of endpoints',
    config: `${entry(`  hosts: [out.$NS.example.com]
  location: MESH_EXTERNAL
${ports}
  resolution: STATIC
  endpoints:
    - {address: 127.0.0.1, ports: {web: $PORT(a)}, weight: 3, labels: {tier: one}}
    - {address: 127.0.0.1, ports: {web: $PORT(b)}, weight: 1, labels: {tier: one}}
    - {address: 127.0.0.1, ports: {web: $PORT(c)}, weight: 0, labels: {tier: one}}
    - {address: 127.0.0.1, ports: {web: $PORT(d)}, labels: {tier: two}}`)}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: outside}
spec:
  host: out.$NS.example.com
  subsets: [{name: one, labels: {tier: one}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: outside}
spec:
  hosts: [out.$NS.example.com]
  http: [{route: [{destination: {host: out.$NS.example.com, subset: one}}]}]
`,
    services: web('a', 'b', 'c', 'd'),
    steps: [{ ask: {}, times: 200, atOnce: 5, expect: { status: 200, by: ['a', 'b'], shares: { a: 75, b: 25 } } }],
  },
  {
    name: 'ServiceEntry: networks and localities of endpoints',
    config: entry(`  hosts: [out.$NS.example.com]
${ports}
  resolution: STATIC
  endpoints:
    - {address: 127.0.0.1, ports: {web: $PORT(near)}, locality: r1/z1/s1, network: east-net}
    - {address: 127.0.0.1, ports: {web: $PORT(far)}, locality: r2/z1/s1}
    - {address: 127.0.0.1, ports: {web: $PORT(else)}, locality: r1/z1/s1, network: without-gateway}`),
    services: web('near', 'far', 'else'),
    steps: [{ ask: {}, times: 12, expect: { status: 200, by: 'near' } }],
  },
  {
    name: 'ServiceEntry: names that are resolved, and targetPort',
    config: entry(`  hosts: [out.$NS.example.com]
  ports: [{number: 80, name: web, protocol: HTTP, targetPort: $PORT(a)}]
  resolution: DNS`),
    services: web('a'),
    steps: [{ ask: {}, expect: { status: 200, by: 'a' } }],
  },
  {
    name: 'ServiceEntry: workloads that are selected, and WorkloadEntry',
    config: `${entry(`  hosts: [out.$NS.example.com]
  location: MESH_INTERNAL
${ports}
  resolution: STATIC
  workloadSelector: {labels: {app: out}}`)}---${entry(
      '  address: 127.0.0.1\n  ports: {web: $PORT(a)}\n  labels: {app: out}\n  weight: 3\n  network: east-net\n  locality: r1/z1/s1',
      'WorkloadEntry',
      'one',
    )}---${entry('  address: 127.0.0.1\n  ports: {web: $PORT(b)}\n  labels: {app: out}\n  locality: r1/z1/s1', 'WorkloadEntry', 'two')}---${entry(
      '  address: 127.0.0.1\n  ports: {web: $PORT(c)}\n  labels: {app: other}',
      'WorkloadEntry',
      'three',
    )}`,
    services: web('a', 'b', 'c'),
    steps: [{ ask: {}, times: 200, atOnce: 5, expect: { status: 200, by: ['a', 'b'], shares: { a: 75, b: 25 } } }],
  },
  {
    name: 'ServiceEntry: the service account that an endpoint of the mesh has',
    config: entry(`  hosts: [out.$NS.example.com]
  location: MESH_INTERNAL
${ports}
  resolution: STATIC
  endpoints:
    - {address: 127.0.0.1, ports: {web: $PORT(a)}, serviceAccount: pay, labels: {security.istio.io/tlsMode: istio}}`),
    services: [{ name: 'outside', entry: true, instances: { a: { serviceAccount: 'pay' } } }],
    steps: [{ ask: {}, expect: { status: 200, by: 'a' } }],
  },
  {
    name: 'WorkloadEntry: another service account than the workload has',
    config: `${entry(`  hosts: [out.$NS.example.com]
  location: MESH_INTERNAL
${ports}
  resolution: STATIC
  workloadSelector: {labels: {app: out}}`)}---${entry(
      '  address: 127.0.0.1\n  ports: {web: $PORT(a)}\n  serviceAccount: other\n  labels: {app: out, security.istio.io/tlsMode: istio}',
      'WorkloadEntry',
      'one',
    )}`,
    services: [{ name: 'outside', entry: true, instances: { a: { serviceAccount: 'pay' } } }],
    steps: [{ ask: {}, expect: { status: 503, cameInAll: 0 } }],
  },
];
