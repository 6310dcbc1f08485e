/** Supported fields that no case says, and why: `KIND PATH` as docs/config-fields.md has them. */
export interface Gap {
  readonly fields: readonly string[];
  readonly reason: string;
}

const listener = (path: string) => `Gateway of the Gateway API listeners[].${path}`;
const server = (path: string) => `Gateway servers[].${path}`;

export const gaps: readonly Gap[] = [
  {
    fields: ['ServiceEntry addresses[]'],
    reason: 'Nobody is reached by them: callers have the service where their agent or gateway has it.',
  },
  {
    fields: [
      'Gateway of the Gateway API gatewayClassName',
      ...['name', 'hostname', 'port', 'protocol', 'tls.mode', 'tls.options{}'].map(listener),
      ...['kinds[].group', 'kinds[].kind', 'namespaces.from', 'namespaces.selector.matchLabels{}'].map((path) =>
        listener(`allowedRoutes.${path}`),
      ),
      ...['key', 'operator', 'values[]'].map((path) => listener(`allowedRoutes.namespaces.selector.matchExpressions[].${path}`)),
      'Gateway selector{}',
      ...['name', 'hosts[]', 'port.name', 'port.number', 'port.protocol'].map(server),
      ...['mode', 'serverCertificate', 'privateKey', 'caCertificates', 'httpsRedirect', 'minProtocolVersion', 'maxProtocolVersion'].map(
        (path) => server(`tls.${path}`),
      ),
      ...['HTTPRoute', 'GRPCRoute'].map((kind) => `${kind} hostnames[]`),
      ...['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute'].map((kind) => `${kind} parentRefs[].sectionName`),
    ],
    reason: 'The callers here are workloads of the mesh: ingress has tests of its own, through our gateway and through Envoy.',
  },
];
