import type { Resource } from '../../control/snapshot/index.ts';
import { seal } from '../../control/snapshot/seal.ts';
import type { IngressServer } from '../../core/traffic/index.ts';
import { clusterName, httpRouting, match, place, routeTo, rule, serviceResources } from './traffic-scene.ts';

const tls = (mode: 'simple' | 'mutual' | 'optional-mutual', minVersion: '1.2' | '1.3' = '1.2') => ({
  tls: {
    mode,
    certFile: `/etc/isthmus/${mode}.pem`,
    keyFile: `/etc/isthmus/${mode}.key`,
    caFile: '/etc/isthmus/ca.pem',
    minVersion,
    alpn: [],
  },
});

function server(name: string, hosts: readonly string[], more: Partial<IngressServer> = {}): IngressServer {
  return { name, hosts, protocol: 'http', httpsRedirect: false, routing: 'ingress|http', ...more };
}

/** What gateways are asked for callers without a proxy: ports of ingress, and those of services. */
export function gatewayResources(): Readonly<Record<string, readonly Resource[]>> {
  const subsets = { '': { endpoints: [place(1)] }, v1: { endpoints: [place(2)] } };
  const to = (service: string, name: string, weight: number) => ({ destination: { cluster: clusterName(service, name) }, weight });
  const l4 = [{ name: 'rest', matches: [], destinations: [to('raw', '', 1), to('raw', 'v1', 3)] }];
  const rules = [
    rule('labelled', [match({ sourceLabels: { app: 'ingress' } })], routeTo({ [clusterName('shop', 'v1')]: 1 })),
    rule('all', [], routeTo({ [clusterName('shop')]: 1 })),
  ];
  const originate = (service: string, port: number, protocol: 'http' | 'tcp', routing: string) =>
    seal('listener', `originate|${port}`, {
      type: 'originate',
      port,
      protocol,
      cluster: clusterName(service),
      allowedCidrs: ['10.0.0.0/8'],
      namespace: 'shop',
      service,
      routing,
    });
  return {
    'shop/shop': [
      ...serviceResources('shop', { subsets }),
      seal('routing', '80|shop', httpRouting(rules)),
      originate('shop', 16_000, 'http', '80|shop'),
    ],
    'shop/raw': [
      ...serviceResources('raw', { protocol: 'tcp', subsets }),
      seal('routing', '80|raw', { virtualHosts: [], l4 }),
      originate('raw', 16_001, 'tcp', '80|raw'),
    ],
    'gateway shop/gateway': [
      seal('routing', 'ingress|http', httpRouting(rules)),
      seal('routing', 'ingress|raw', { virtualHosts: [], l4 }),
      seal('listener', 'ingress|80', {
        type: 'ingress',
        address: '',
        port: 80,
        servers: [server('plain', ['a.example.com', 'b.example.com']), server('redirect', ['*'], { httpsRedirect: true })],
      }),
      seal('listener', 'ingress|443', {
        type: 'ingress',
        address: '',
        port: 443,
        servers: [
          server('plain', ['*']),
          server('simple', ['one.example.com'], tls('simple', '1.3')),
          server('mutual', ['*.two.example.com'], tls('mutual')),
          server('optional', ['three.example.com', 'one.example.com'], tls('optional-mutual')),
          server('tcp', ['tcp.example.com'], { ...tls('simple'), protocol: 'tcp', routing: 'ingress|raw' }),
          server('raw', ['raw.example.com', '*.raw.example.com'], { protocol: 'tls-passthrough', routing: 'ingress|raw' }),
        ],
      }),
    ],
  };
}
