import type { Protocol } from '../../core/model/index.ts';

/** appProtocol values of the Kubernetes API reference and of Istio; names with a domain are Kubernetes' own. */
const byAppProtocol: Readonly<Record<string, Protocol>> = {
  http: 'http',
  'http/1.1': 'http',
  http2: 'http2',
  h2c: 'http2',
  grpc: 'grpc',
  'grpc-web': 'http',
  https: 'tls',
  tls: 'tls',
  tcp: 'tcp',
  mongo: 'tcp',
  mysql: 'tcp',
  redis: 'tcp',
  'kubernetes.io/h2c': 'http2',
  'kubernetes.io/ws': 'http',
  'kubernetes.io/wss': 'tls',
};

/** Prefixes of port names, Istio's "explicit protocol selection": `http`, `http-web`. Longest first, as `grpc-web` is not `grpc`. */
const byPrefix: readonly (readonly [string, Protocol])[] = [
  ['grpc-web', 'http'],
  ['https', 'tls'],
  ['http2', 'http2'],
  ['mongo', 'tcp'],
  ['mysql', 'tcp'],
  ['redis', 'tcp'],
  ['grpc', 'grpc'],
  ['http', 'http'],
  ['tcp', 'tcp'],
  ['tls', 'tls'],
];

/** What a port speaks: its appProtocol, else the prefix of its name, else `fallback`. An appProtocol that nobody knows is opaque bytes. */
export function protocolOf(port: { readonly name: string; readonly appProtocol: string }, fallback: Protocol): Protocol {
  const said = port.appProtocol.toLowerCase();
  if (said !== '') return Object.hasOwn(byAppProtocol, said) ? (byAppProtocol[said] ?? 'tcp') : 'tcp';
  const name = port.name.toLowerCase();
  return byPrefix.find(([prefix]) => name === prefix || name.startsWith(`${prefix}-`))?.[1] ?? fallback;
}

/** The appProtocol that says `protocol` to others in Kubernetes. */
export function appProtocolOf(protocol: string): string {
  return protocol === 'http2' ? 'kubernetes.io/h2c' : protocol;
}
