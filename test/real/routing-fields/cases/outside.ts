import type { Expectation, FieldCase } from '../case.ts';

interface Outside {
  /** Default HTTP. */
  readonly protocol?: 'HTTP' | 'HTTP2' | 'TCP';
  /** In the place of a policy of all ports. */
  readonly ofPort?: true;
  /** Of the ServiceEntry. */
  readonly more?: string;
}

/** A host outside the mesh that ends TLS as `$CERTS/server.crt` has it, and how callers are told to speak to it. */
function outside(name: string, tls: string, expect: Expectation, { protocol = 'HTTP', ofPort, more = '' }: Outside = {}): FieldCase {
  const said = `tls: {${tls}}`;
  const byProtocol = { HTTP: 'http', HTTP2: 'http2', TCP: 'tcp' } as const;
  return {
    name: `TLS outside the mesh: ${name}`,
    config: `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside}
spec:
  hosts: [backend.example.com]
  exportTo: ["*"]
  location: MESH_EXTERNAL
  ports: [{number: 443, name: web, protocol: ${protocol}}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {web: $PORT(out)}}]
${more}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: outside}
spec:
  host: backend.example.com
  trafficPolicy: ${ofPort ? `{portLevelSettings: [{port: {number: 443}, ${said}}]}` : `{${said}}`}
`,
    services: [{ name: 'outside', entry: true, ports: { 443: byProtocol[protocol] }, instances: { out: { tls: true } } }],
    steps: [{ ask: protocol === 'TCP' ? { dial: {} } : {}, expect }],
  };
}

const ca = 'caCertificates: $CERTS/ca.crt';
const own = 'clientCertificate: $CERTS/client.crt, privateKey: $CERTS/client.key';
const refused: Expectation = { status: 503, cameInAll: 0 };
const dropped: Expectation = { status: 0, cameInAll: 0 };

export const outsideCases: readonly FieldCase[] = [
  outside('SIMPLE, by the name of the host', `mode: SIMPLE, ${ca}`, {
    status: 200,
    by: 'out',
    saw: { tls: { sni: 'backend.example.com', alpn: 'http/1.1', client: '' } },
  }),
  outside('another server name is asked for and proven', `mode: SIMPLE, ${ca}, sni: other.example.com`, refused),
  outside(
    'subjectAltNames in place of the server name',
    `mode: SIMPLE, ${ca}, sni: other.example.com, subjectAltNames: [no.example.com, backend.example.com]`,
    {
      status: 200,
      saw: { tls: { sni: 'other.example.com' } },
    },
  ),
  outside('none of subjectAltNames', `mode: SIMPLE, ${ca}, subjectAltNames: [other.example.com]`, refused),
  outside(
    'the names of the ServiceEntry',
    `mode: SIMPLE, ${ca}, sni: other.example.com`,
    { status: 200, saw: { tls: { sni: 'other.example.com' } } },
    { more: '  subjectAltNames: [backend.example.com]' },
  ),
  outside("names of the rule in place of the ServiceEntry's", `mode: SIMPLE, ${ca}, subjectAltNames: [no.example.com]`, refused, {
    more: '  subjectAltNames: [backend.example.com]',
  }),
  outside('an authority that has not signed it', 'mode: SIMPLE, caCertificates: $CERTS/stranger.crt', refused),
  outside("no authority but the system's", 'mode: SIMPLE', refused),
  outside('insecureSkipVerify', 'mode: SIMPLE, insecureSkipVerify: true', { status: 200, saw: { tls: { sni: 'backend.example.com' } } }),
  outside('MUTUAL', `mode: MUTUAL, ${ca}, ${own}`, { status: 200, saw: { tls: { client: 'DNS:client.example.com' } } }),
  outside(
    'of one port',
    `mode: MUTUAL, ${ca}, ${own}`,
    { status: 200, saw: { tls: { client: 'DNS:client.example.com' } } },
    { ofPort: true },
  ),
  outside('HTTP/2', `mode: SIMPLE, ${ca}`, { status: 200, saw: { httpVersion: '2.0', tls: { alpn: 'h2' } } }, { protocol: 'HTTP2' }),
  outside('bytes', `mode: MUTUAL, ${ca}, ${own}`, { status: 200, body: 'out to DNS:client.example.com' }, { protocol: 'TCP' }),
  outside('bytes, to somebody else', `mode: SIMPLE, ${ca}, sni: other.example.com`, dropped, { protocol: 'TCP' }),
];
