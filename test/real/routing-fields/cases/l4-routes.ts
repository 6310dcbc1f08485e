import type { FieldCase, ServiceSpec } from '../case.ts';

function services(protocol: 'tcp' | 'tls'): readonly ServiceSpec[] {
  return [
    { name: 'echo', ports: { 9000: protocol, 9001: protocol }, instances: { e1: {} } },
    { name: 'other', ports: { 9000: protocol }, instances: { e2: {} } },
  ];
}

function route(kind: 'TCPRoute' | 'TLSRoute', rules: string, parent = '{group: "", kind: Service, name: echo}', more = ''): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: echo}
spec:
  parentRefs: [${parent}]
${more}  rules:
${rules}
`;
}

const ofPort = '{group: "", kind: Service, namespace: $NS, name: echo, port: 9000}';
const shared = (own: number, other: number) =>
  `    - name: shared\n      backendRefs: [{group: "", kind: Service, namespace: $NS, name: echo, port: 9000, weight: ${own}}, {name: other, port: 9000, weight: ${other}}]`;

export const l4RouteCases: readonly FieldCase[] = [
  {
    name: 'TCPRoute: weights',
    config: route('TCPRoute', shared(75, 25)),
    services: services('tcp'),
    steps: [{ ask: { dial: {} }, times: 200, atOnce: 5, expect: { status: 200, shares: { e1: 75, e2: 25 } } }],
  },
  {
    name: 'TCPRoute: of one port',
    config: route('TCPRoute', '    - backendRefs: [{name: other, port: 9000}]', ofPort),
    services: services('tcp'),
    steps: [
      { ask: { port: 9000, dial: {} }, expect: { status: 200, by: 'e2' } },
      { ask: { port: 9001, dial: {} }, expect: { status: 200, by: 'e1' } },
    ],
  },
  {
    name: 'TLSRoute: server names',
    config: route('TLSRoute', '    - backendRefs: [{name: other, port: 9000}]', ofPort, '  hostnames: [a.example.com, "*.example.net"]\n'),
    services: services('tls'),
    steps: [
      { ask: { port: 9000, dial: { sni: 'a.example.com' } }, expect: { status: 200, by: 'e2' } },
      { ask: { port: 9000, dial: { sni: 'x.example.net' } }, expect: { status: 200, by: 'e2' } },
      { ask: { port: 9000, dial: { sni: 'b.example.com' } }, expect: { status: 0, cameInAll: 0 } },
      { ask: { port: 9001, dial: { sni: 'a.example.com' } }, expect: { status: 200, by: 'e1' } },
    ],
  },
  {
    name: 'TLSRoute: weights',
    config: route('TLSRoute', shared(60, 40), undefined, '  hostnames: [a.example.com]\n'),
    services: services('tls'),
    steps: [{ ask: { dial: { sni: 'a.example.com' } }, times: 60, atOnce: 5, expect: { status: 200, shares: { e1: 60, e2: 40 } } }],
  },
];
