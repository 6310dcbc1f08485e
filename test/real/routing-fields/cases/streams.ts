import type { FieldCase, ServiceSpec } from '../case.ts';

const echo: readonly ServiceSpec[] = [{ name: 'echo', ports: { 9000: 'tcp' }, instances: { e1: {}, e2: {} } }];
const secure: readonly ServiceSpec[] = [{ name: 'echo', ports: { 9443: 'tls' }, instances: { e1: {}, e2: {} } }];

function echoes(kind: 'tcp' | 'tls', rules: string, gateways = '[mesh]'): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo}
spec:
  hosts: [${kind === 'tcp' ? 'echo' : 'echo, a.example.com, b.example.com, "*.example.net"'}]
  gateways: ${gateways}
  ${kind}:
${rules}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: echo}
spec:
  host: echo
  subsets: [{name: e1, labels: {version: e1}}, {name: e2, labels: {version: e2}}]
`;
}

const to = (subset: string) => `route: [{destination: {host: echo, subset: ${subset}}}]`;
const dial = { dial: {} };

export const streamCases: readonly FieldCase[] = [
  {
    name: 'tcp: weights',
    config: echoes(
      'tcp',
      '    - route: [{destination: {host: echo, port: {number: 9000}, subset: e1}, weight: 75}, {destination: {host: echo, subset: e2}, weight: 25}]',
    ),
    services: echo,
    steps: [{ ask: dial, times: 200, atOnce: 5, expect: { status: 200, by: ['e1', 'e2'], shares: { e1: 75, e2: 25 } } }],
  },
  {
    name: 'tcp: port and gateways',
    config: echoes(
      'tcp',
      `    - match: [{port: 9000, gateways: [some-gateway]}]\n      ${to('e1')}\n    - match: [{port: 9001}]\n      ${to('e1')}\n    - match: [{port: 9000, gateways: [mesh]}]\n      ${to('e2')}`,
      '[mesh, some-gateway]',
    ),
    services: echo,
    steps: [{ ask: dial, times: 4, expect: { status: 200, by: 'e2' } }],
  },
  {
    name: 'tcp: source labels and namespace',
    config: echoes(
      'tcp',
      `    - match: [{sourceLabels: {app: other}}]\n      ${to('e1')}\n    - match: [{sourceNamespace: other}]\n      ${to('e1')}\n    - match: [{sourceLabels: {app: web}, sourceNamespace: shop}]\n      ${to('e2')}`,
    ),
    services: echo,
    steps: [{ ask: dial, times: 4, expect: { status: 200, by: 'e2' } }],
  },
  {
    name: 'tcp: destination subnets',
    config: echoes(
      'tcp',
      `    - match: [{destinationSubnets: [10.0.0.0/8]}]\n      ${to('e1')}\n    - match: [{destinationSubnets: [127.0.0.0/8]}]\n      ${to('e2')}`,
    ),
    services: echo,
    steps: [{ ask: dial, times: 4, expect: { status: 200, by: 'e2' } }],
  },
  {
    name: 'tls: destination subnets',
    config: echoes(
      'tls',
      `    - match: [{sniHosts: [a.example.com], destinationSubnets: [10.0.0.0/8]}]\n      ${to('e1')}\n    - match: [{sniHosts: [a.example.com], destinationSubnets: [127.0.0.0/8]}]\n      ${to('e2')}`,
    ),
    services: secure,
    steps: [{ ask: { dial: { sni: 'a.example.com' } }, times: 4, expect: { status: 200, by: 'e2' } }],
  },
  {
    name: 'tls: server names',
    config: echoes(
      'tls',
      `    - match: [{port: 9443, sniHosts: [a.example.com]}]\n      ${to('e1')}\n    - match: [{port: 9443, sniHosts: [b.example.com, "*.example.net"]}]\n      ${to('e2')}`,
    ),
    services: secure,
    steps: [
      { ask: { dial: { sni: 'a.example.com' } }, times: 3, expect: { status: 200, by: 'e1' } },
      { ask: { dial: { sni: 'b.example.com' } }, times: 3, expect: { status: 200, by: 'e2' } },
      { ask: { dial: { sni: 'x.example.net' } }, times: 3, expect: { status: 200, by: 'e2' } },
    ],
  },
  {
    name: 'tls: who calls, and weights',
    config: echoes(
      'tls',
      `    - match: [{sniHosts: [a.example.com], sourceLabels: {app: other}}]\n      ${to('e1')}\n    - match: [{sniHosts: [a.example.com], sourceNamespace: other}]\n      ${to('e1')}\n    - match: [{sniHosts: [a.example.com], sourceLabels: {app: web}, sourceNamespace: shop, gateways: [mesh]}]\n      ${to('e2')}\n    - match: [{sniHosts: [b.example.com]}]\n      route: [{destination: {host: echo, subset: e1}, weight: 60}, {destination: {host: echo, subset: e2}, weight: 40}]`,
    ),
    services: secure,
    steps: [
      { ask: { dial: { sni: 'a.example.com' } }, times: 3, expect: { status: 200, by: 'e2' } },
      {
        ask: { dial: { sni: 'b.example.com' } },
        times: 60,
        atOnce: 5,
        expect: { status: 200, by: ['e1', 'e2'], shares: { e1: 60, e2: 40 } },
      },
    ],
  },
];
