import type { FieldCase } from '../case.ts';
import { answers, gateway, leading, leads, servicesOf, virtualService } from './objects.ts';

const at = (host: string, gate = 'web') => ({ gate, headers: { host } });
const http = (gate: string, name: string) => `{number: $GATE(${gate}), name: ${name}, protocol: HTTP}`;

export const hostCases: readonly FieldCase[] = [
  {
    name: 'Gateway: hosts that a server and a VirtualService have in common',
    config:
      gateway([`{name: shop, port: ${http('web', 'web')}, hosts: [shop.example.com, "*.example.org"]}`]) +
      leading('one', '[shop.example.com, www.example.org, else.example.com]', 'v1') +
      leading('two', '["*.deep.example.org", "*.example.net"]', 'v2'),
    services: servicesOf(['v1', 'v2']),
    steps: [
      leads('v1', at('shop.example.com')),
      leads('v1', at('SHOP.example.com')),
      leads('v1', at('shop.example.com:8080')),
      leads('v1', at('www.example.org')),
      leads('v2', at('a.deep.example.org')),
      leads('v2', at('a.b.deep.example.org')),
      answers(404, at('deep.example.org')),
      answers(404, at('else.example.com')),
      answers(404, at('a.example.net')),
      answers(404, at('example.org')),
    ],
  },
  {
    name: 'Gateway: the narrower of several hosts leads',
    config:
      gateway([`{port: ${http('web', 'web')}, hosts: ["*"]}`]) +
      leading('any', '["*"]', 'v1') +
      leading('wide', '["*.example.com"]', 'v2') +
      leading('narrow', '["*.shop.example.com"]', 'v3') +
      leading('exact', '[a.shop.example.com]', 'v4'),
    services: servicesOf(['v1', 'v2', 'v3', 'v4']),
    steps: [
      leads('v4', at('a.shop.example.com')),
      leads('v3', at('b.shop.example.com')),
      leads('v3', at('a.a.shop.example.com')),
      leads('v2', at('shop.example.com')),
      leads('v1', at('example.com')),
      leads('v1', at('example.org')),
    ],
  },
  {
    name: 'Gateway: hosts for some namespaces',
    config:
      gateway([
        `{port: ${http('web', 'web')}, hosts: [./own.example.com, $NS-apart/apart.example.com, "*/any.example.com", "./*.example.org"]}`,
      ]) +
      leading('own', '["*.example.com", a.example.org]', 'v1') +
      leading('apart', '[own.example.com, apart.example.com, b.example.org, any.example.com]', 'v2', ', namespace: $NS-apart'),
    services: [...servicesOf(['v1']), ...servicesOf(['v2']).map((service) => ({ ...service, apart: true as const }))],
    steps: [
      leads('v1', at('own.example.com')),
      leads('v2', at('apart.example.com')),
      leads('v1', at('a.example.org')),
      answers(404, at('b.example.org')),
      { ask: at('any.example.com'), times: 5, expect: { status: 200, sticky: true } },
    ],
  },
  {
    name: 'Gateway: servers of several ports, and rules for one of them',
    config:
      gateway([`{port: ${http('web', 'web')}, hosts: ["*"]}`, `{name: other, port: ${http('more', 'more')}, hosts: ["*"]}`]) +
      virtualService(
        'ports',
        '["*"]',
        `gateways: [front]
http:
  - match: [{port: $GATE(more)}]
    route: [{destination: {host: v2}}]
  - match: [{gateways: [mesh]}]
    route: [{destination: {host: v3}}]
  - route: [{destination: {host: v1}}]`,
      ),
    services: servicesOf(['v1', 'v2', 'v3']),
    steps: [leads('v1', at('any.example.com')), leads('v2', at('any.example.com', 'more'))],
  },
  {
    name: 'Gateway: httpsRedirect',
    config:
      gateway([
        `{port: ${http('web', 'old')}, hosts: [old.example.com, "*.old.example.com"], tls: {httpsRedirect: true}}`,
        `{port: ${http('web', 'web')}, hosts: [new.example.com], tls: {httpsRedirect: false}}`,
      ]) + leading('all', '["*"]', 'v1'),
    services: servicesOf(['v1']),
    steps: [
      answers(301, { ...at('old.example.com'), path: '/a?b=c' }, { told: { location: 'https://old.example.com/a?b=c' } }),
      answers(301, { ...at('a.old.example.com'), method: 'POST' }, { told: { location: 'https://a.old.example.com/' } }),
      leads('v1', at('new.example.com')),
      answers(404, at('else.example.com')),
    ],
  },
  {
    name: 'Gateway: selector',
    config:
      gateway([`{port: ${http('web', 'web')}, hosts: ["*"]}`]) +
      gateway([`{port: ${http('closed', 'web')}, hosts: ["*"]}`], 'closed', '{istio: ingress, proxy: $PROXY, tier: none}') +
      leading('all', '["*"]', 'v1'),
    services: servicesOf(['v1']),
    steps: [leads('v1', at('any.example.com')), answers(0, at('any.example.com', 'closed'))],
  },
  {
    name: 'Gateway: protocols GRPC and TCP',
    config:
      gateway([
        '{port: {number: $GATE(rpc), name: rpc, protocol: GRPC}, hosts: [rpc.example.com]}',
        '{port: {number: $GATE(bytes), name: bytes, protocol: TCP}, hosts: ["*"]}',
      ]) +
      leading('rpc', '[rpc.example.com]', 'v1') +
      virtualService('bytes', '["*"]', 'gateways: [front]\ntcp: [{match: [{port: $GATE(bytes)}], route: [{destination: {host: v2}}]}]'),
    services: [...servicesOf(['v1'], 'grpc'), ...servicesOf(['v2'], 'tcp')],
    steps: [
      {
        ask: { ...at('rpc.example.com', 'rpc'), over: 'grpc', path: '/shop.Reviews/Get' },
        expect: { status: 200, by: 'v1-1', trailers: { 'grpc-status': '0' } },
      },
      { ask: { ...at('else.example.com', 'rpc'), over: 'grpc', path: '/shop.Reviews/Get' }, expect: { told: { 'grpc-status': '12' } } },
      leads('v2', { gate: 'bytes', dial: {} }),
    ],
  },
];
