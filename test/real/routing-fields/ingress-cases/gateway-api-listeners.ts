import type { FieldCase, TlsAsk } from '../case.ts';
import { answers, leads, listeners, route, servicesOf } from './objects.ts';

const at = (host: string, gate = 'web') => ({ gate, headers: { host } });
const over = (sni: string, more: TlsAsk = {}) => ({ gate: 'web', tls: { sni, ...more }, headers: { host: sni } });

function tls(name: string, hostname: string, options: readonly string[] = [], file = 'server'): string {
  const all = [`isthmus.dev/server-certificate: $CERTS/${file}.crt`, `isthmus.dev/private-key: $CERTS/${file}.key`, ...options];
  return `{name: ${name}, hostname: ${hostname}, port: $GATE(web), protocol: HTTPS, tls: {mode: Terminate, options: {${all.join(', ')}}}}`;
}

const ca = 'isthmus.dev/client-ca: $CERTS/ca.crt';

export const gatewayApiListenerCases: readonly FieldCase[] = [
  {
    name: 'Gateway API: hostname of a listener, hostnames of a route',
    config:
      listeners(['{name: web, hostname: "*.example.com", port: $GATE(web), protocol: HTTP}']) +
      route('some', 'v1', { hostnames: '[a.example.com, a.example.org]' }) +
      route('wide', 'v2', { hostnames: '["*.wide.example.com"]' }) +
      route('any', 'v3'),
    services: servicesOf(['v1', 'v2', 'v3']),
    steps: [
      leads('v1', at('a.example.com')),
      leads('v2', at('a.wide.example.com')),
      leads('v2', at('a.b.wide.example.com')),
      leads('v3', at('else.example.com')),
      answers(404, at('a.example.org')),
      answers(404, at('example.com')),
    ],
  },
  {
    name: 'Gateway API: the narrower of several hostnames leads',
    config:
      listeners([
        '{name: any, port: $GATE(web), protocol: HTTP}',
        '{name: wild, hostname: "*.example.com", port: $GATE(web), protocol: HTTP}',
        '{name: exact, hostname: a.example.com, port: $GATE(web), protocol: HTTP}',
      ]) +
      route('any', 'v1', { section: 'any' }) +
      route('wild', 'v2', { section: 'wild' }) +
      route('exact', 'v3', { section: 'exact' }),
    services: servicesOf(['v1', 'v2', 'v3']),
    steps: [
      leads('v3', at('a.example.com')),
      leads('v2', at('b.example.com')),
      leads('v2', at('a.a.example.com')),
      leads('v1', at('example.org')),
    ],
  },
  {
    name: 'Gateway API: TLS ends by files, for some clients by theirs',
    config:
      listeners([
        tls('simple', 'simple.example.com'),
        tls('wild', '"*.example.com"', [], 'other'),
        tls('must', 'must.example.com', [ca]),
        tls('may', 'may.example.com', [ca, 'isthmus.dev/client-certificates: optional']),
        tls('new', 'new.example.com', ['isthmus.dev/min-protocol-version: "1.3"']),
      ]) + route('all', 'v1'),
    services: servicesOf(['v1']),
    steps: [
      { ask: over('simple.example.com'), expect: { status: 200, by: 'v1-1', shown: { certificate: 'backend.example.com' } } },
      { ask: over('else.example.com'), expect: { status: 200, by: 'v1-1', shown: { certificate: 'other.example.com' } } },
      answers(0, over('else.example.org')),
      answers(0, over('must.example.com')),
      leads('v1', over('must.example.com', { client: 'client' })),
      leads('v1', over('may.example.com')),
      answers(0, over('may.example.com', { client: 'outsider' })),
      leads('v1', over('new.example.com')),
      answers(0, over('new.example.com', { maxVersion: 'TLSv1.2' })),
    ],
  },
  {
    name: 'Gateway API: TLS passes through, bytes go by port',
    config:
      listeners([
        '{name: through, hostname: "*.example.com", port: $GATE(web), protocol: TLS, tls: {mode: Passthrough}}',
        '{name: other, hostname: "*.example.org", port: $GATE(web), protocol: TLS, tls: {mode: Passthrough}}',
        '{name: bytes, port: $GATE(bytes), protocol: TCP}',
        '{name: more, port: $GATE(more), protocol: TCP}',
      ]) +
      route('tls', 'v1', { kind: 'TLSRoute', section: 'through', hostnames: '[a.example.com, a.example.org]' }) +
      route('org', 'v2', { kind: 'TLSRoute', section: 'other', hostnames: '["*.example.org"]' }) +
      route('bytes', 'v3', { kind: 'TCPRoute', section: 'bytes' }) +
      route('more', 'v4', { kind: 'TCPRoute', section: 'more' }),
    services: [...servicesOf(['v1', 'v2'], 'tls'), ...servicesOf(['v3', 'v4'], 'tcp')],
    steps: [
      leads('v1', { gate: 'web', dial: { sni: 'a.example.com' } }),
      leads('v2', { gate: 'web', dial: { sni: 'a.example.org' } }),
      answers(0, { gate: 'web', dial: { sni: 'b.example.com' } }),
      leads('v3', { gate: 'bytes', dial: {} }),
      leads('v4', { gate: 'more', dial: {} }),
    ],
  },
];
