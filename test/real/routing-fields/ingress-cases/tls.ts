import type { FieldCase, TlsAsk } from '../case.ts';
import { answers, gateway, leading, leads, servicesOf, virtualService } from './objects.ts';

const at = (sni: string, more: TlsAsk = {}, host = sni) => ({ gate: 'web', tls: { sni, ...more }, headers: { host } });
const anyone = { gate: 'web', tls: {}, headers: { host: 'any.example.com' } };
const files = (file: string) => `serverCertificate: $CERTS/${file}.crt, privateKey: $CERTS/${file}.key`;
const ca = 'caCertificates: $CERTS/ca.crt';

function server(name: string, hosts: string, tls: string, protocol = 'HTTPS', gate = 'web'): string {
  return `{name: ${name}, port: {number: $GATE(${gate}), name: ${name}, protocol: ${protocol}}, hosts: ${hosts}, tls: {${tls}}}`;
}

export const tlsCases: readonly FieldCase[] = [
  {
    name: 'Gateway: SIMPLE, the certificate and the hosts by server name',
    config:
      gateway([
        server('exact', '[a.example.com]', `mode: SIMPLE, ${files('server')}`),
        server('wild', '["*.example.com"]', `mode: SIMPLE, ${files('other')}`),
        server('deep', '["*.deep.example.com"]', `mode: SIMPLE, ${files('client')}`),
      ]) +
      leading('all', '["*"]', 'v1') +
      leading('a', '[a.example.com]', 'v2'),
    services: servicesOf(['v1', 'v2']),
    steps: [
      { ask: at('a.example.com'), expect: { status: 200, by: 'v2-1', shown: { certificate: 'backend.example.com' } } },
      { ask: at('b.example.com'), expect: { status: 200, by: 'v1-1', shown: { certificate: 'other.example.com' } } },
      { ask: at('b.deep.example.com'), expect: { status: 200, by: 'v1-1', shown: { certificate: 'client.example.com' } } },
      { ask: { ...at('b.example.com'), over: 'http2' }, expect: { status: 200, by: 'v1-1' } },
      answers(404, at('b.example.com', {}, 'else.example.org')),
      answers(0, at('else.example.org')),
      answers(0, anyone),
    ],
  },
  {
    name: 'Gateway: SIMPLE for any host',
    config: gateway([server('any', '["*"]', `mode: SIMPLE, ${files('server')}`)]) + leading('all', '["*"]', 'v1'),
    services: servicesOf(['v1']),
    steps: [
      { ask: at('any.example.com'), expect: { status: 200, by: 'v1-1', saw: { headers: { 'x-forwarded-proto': 'https' } } } },
      { ask: anyone, expect: { status: 200, by: 'v1-1', shown: { certificate: 'backend.example.com' } } },
    ],
  },
  {
    name: 'Gateway: MUTUAL and OPTIONAL_MUTUAL',
    config:
      gateway([
        server('must', '[must.example.com]', `mode: MUTUAL, ${files('server')}, ${ca}`),
        server('may', '[may.example.com]', `mode: OPTIONAL_MUTUAL, ${files('server')}, ${ca}`),
      ]) + leading('all', '["*"]', 'v1'),
    services: servicesOf(['v1']),
    steps: [
      leads('v1', at('must.example.com', { client: 'client' })),
      answers(0, at('must.example.com')),
      answers(0, at('must.example.com', { client: 'outsider' })),
      leads('v1', at('may.example.com', { client: 'client' })),
      leads('v1', at('may.example.com')),
      answers(0, at('may.example.com', { client: 'outsider' })),
    ],
  },
  {
    name: 'Gateway: minProtocolVersion and maxProtocolVersion',
    config:
      gateway([
        server('new', '[new.example.com]', `mode: SIMPLE, ${files('server')}, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_3`),
        server(
          'auto',
          '[auto.example.com]',
          `mode: SIMPLE, ${files('server')}, minProtocolVersion: TLS_AUTO, maxProtocolVersion: TLS_AUTO`,
        ),
      ]) + leading('all', '["*"]', 'v1'),
    services: servicesOf(['v1']),
    steps: [
      { ask: at('new.example.com'), expect: { status: 200, shown: { version: 'TLSv1.3' } } },
      answers(0, at('new.example.com', { maxVersion: 'TLSv1.2' })),
      { ask: at('auto.example.com'), expect: { status: 200, shown: { version: 'TLSv1.3' } } },
      { ask: at('auto.example.com', { maxVersion: 'TLSv1.2' }), expect: { status: 200, shown: { version: 'TLSv1.2' } } },
    ],
  },
  {
    name: 'Gateway: PASSTHROUGH, beside a server that ends TLS',
    config:
      gateway([
        server('through', '["*.raw.example.com", raw.example.org]', 'mode: PASSTHROUGH', 'TLS'),
        server('ends', '[web.example.com]', `mode: SIMPLE, ${files('server')}`),
      ]) +
      virtualService(
        'raw',
        '["*.raw.example.com", raw.example.org]',
        `gateways: [front]
tls:
  - match: [{port: $GATE(web), sniHosts: [a.raw.example.com]}]
    route: [{destination: {host: v1}}]
  - match: [{sniHosts: ["*.raw.example.com"]}]
    route: [{destination: {host: v2}}]`,
      ) +
      leading('web', '[web.example.com]', 'v3'),
    services: [...servicesOf(['v1', 'v2'], 'tls'), ...servicesOf(['v3'])],
    steps: [
      leads('v1', { gate: 'web', dial: { sni: 'a.raw.example.com' } }),
      leads('v2', { gate: 'web', dial: { sni: 'b.raw.example.com' } }),
      answers(0, { gate: 'web', dial: { sni: 'raw.example.org' } }),
      answers(0, { gate: 'web', dial: { sni: 'else.example.com' } }),
      leads('v3', at('web.example.com')),
    ],
  },
  {
    name: 'Gateway: TLS of bytes that ends there',
    config:
      gateway([server('bytes', '[bytes.example.com]', `mode: SIMPLE, ${files('server')}`, 'TLS')]) +
      virtualService('bytes', '["*"]', 'gateways: [front]\ntcp: [{match: [{port: $GATE(web)}], route: [{destination: {host: v1}}]}]'),
    services: servicesOf(['v1'], 'tcp'),
    steps: [
      leads('v1', { gate: 'web', dial: { sni: 'bytes.example.com' } }),
      answers(0, { gate: 'web', dial: { sni: 'else.example.com' } }),
    ],
  },
];
