import type { Protocol } from '../../../../core/model/index.ts';
import type { Ask, Expectation, ServiceSpec, Step } from '../case.ts';

/** One service for each, on port 80, whose one instance has its name. */
export function servicesOf(names: readonly string[], protocol: Protocol = 'http'): readonly ServiceSpec[] {
  return names.map((name) => ({ name, ports: { 80: protocol }, instances: { [`${name}-1`]: {} } }));
}

export const leads = (to: string, ask: Ask): Step => ({ ask, expect: { status: 200, by: `${to}-1` } });
export const answers = (status: number, ask: Ask, more: Expectation = {}): Step => ({ ask, expect: { status, cameInAll: 0, ...more } });

/** Istio's; `servers` are lines of YAML. */
export function gateway(servers: readonly string[], name = 'front', selector = '{istio: ingress, proxy: $PROXY}'): string {
  return `---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ${name}}
spec:
  selector: ${selector}
  servers:
${servers.map((server) => `    - ${server}\n`).join('')}`;
}

export function virtualService(name: string, hosts: string, rest: string, more = ''): string {
  return `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}${more}}
spec:
  hosts: ${hosts}
  ${rest.replaceAll('\n', '\n  ')}
`;
}

/** By HTTP to a service of the case. */
export function leading(name: string, hosts: string, to: string, more = ''): string {
  return virtualService(name, hosts, `gateways: [$NS/front]\nhttp: [{route: [{destination: {host: ${to}, port: {number: 80}}}]}]`, more);
}

/** The Gateway API's. */
export function listeners(list: readonly string[]): string {
  return `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front-$PROXY}
spec:
  gatewayClassName: isthmus
  listeners:
${list.map((listener) => `    - ${listener}\n`).join('')}`;
}

export interface RouteSketch {
  readonly kind?: 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute' | 'TCPRoute';
  readonly hostnames?: string;
  readonly section?: string;
  /** It is in another namespace, and leads to the service there. */
  readonly apart?: true;
}

export function route(name: string, to: string, { kind = 'HTTPRoute', hostnames, section, apart }: RouteSketch = {}): string {
  const parent = `{name: front-$PROXY, namespace: $NS${section === undefined ? '' : `, sectionName: ${section}`}}`;
  return `---
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: ${name}${apart === true ? ', namespace: $NS-apart' : ''}}
spec:
  parentRefs: [${parent}]
${hostnames === undefined ? '' : `  hostnames: ${hostnames}\n`}  rules: [{backendRefs: [{name: ${to}, port: 80}]}]
`;
}
