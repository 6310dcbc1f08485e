import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import type { EnvoyAdminAddress } from '../../core/xds/envoy/index.ts';
import type { HttpClaim, InboundClaim, OutboundClaim } from '../../core/xds/index.ts';

const servicePort = /^([a-z0-9-]{1,63})\/([a-z0-9-]{1,63}):([0-9]{1,5})$/;

/** `NAMESPACE/NAME:PORT=IP:PORT`, several times: a service of the mesh, and where Envoy listens for it. */
export function upstreamFlag(text: string, before: readonly OutboundClaim[]): readonly OutboundClaim[] {
  const { service, bind } = pairOf(text);
  return [...before, { ...service, address: bind.address, listen: bind.port }];
}

/** `NAMESPACE/NAME:PORT=IP:PORT[/PROTOCOL]`, several times: a service of this node, and where its program listens. */
export function inboundFlag(text: string, before: readonly InboundClaim[]): readonly InboundClaim[] {
  const [, rest = text, protocol = 'http'] = /^(.*=.*)\/(tcp|http|http2|grpc|tls)$/.exec(text) ?? [];
  const { service, bind } = pairOf(rest);
  return [...before, { ...service, protocol: protocol as InboundClaim['protocol'], address: bind.address, target: bind.port }];
}

/** `IP:PORT=NAMESPACE/NAME:PORT,…`, several times: one listener that takes HTTP for these services by Host. */
export function httpFlag(text: string, before: readonly HttpClaim[]): readonly HttpClaim[] {
  const equals = text.indexOf('=');
  const bind = addressOf(text.slice(0, Math.max(0, equals)));
  const services = text
    .slice(equals + 1)
    .split(',')
    .map(serviceOf);
  if (bind === undefined || services.some((service) => service === undefined)) {
    throw new InvalidArgumentError('It must be IP:PORT=NAMESPACE/NAME:PORT,..., such as 127.0.0.1:15001=shop/orders:8080.');
  }
  return [
    ...before,
    {
      address: bind.address,
      listen: bind.port,
      services: services.flatMap((each) => (each === undefined ? [] : [{ ...each, hosts: [] }])),
    },
  ];
}

/** A loopback address with a port, or the absolute path of a socket. */
export function adminFlag(text: string): EnvoyAdminAddress {
  if (text.startsWith('/')) return { path: text };
  const bind = addressOf(text);
  if (bind === undefined || !/^(127\.|::1$)/.test(bind.address)) {
    throw new InvalidArgumentError('It must be a loopback address and port, or the path of a socket: whoever reaches it can end Envoy.');
  }
  return bind;
}

function pairOf(text: string) {
  const equals = text.indexOf('=');
  const service = serviceOf(text.slice(0, Math.max(0, equals)));
  const bind = addressOf(text.slice(equals + 1));
  if (service === undefined || bind === undefined) {
    throw new InvalidArgumentError('It must be NAMESPACE/NAME:PORT=IP:PORT, such as shop/orders:8080=127.0.0.1:9001.');
  }
  return { service, bind };
}

function serviceOf(text: string): { namespace: string; name: string; port: number } | undefined {
  const [, namespace = '', name = '', port] = servicePort.exec(text) ?? [];
  return isPort(Number(port)) ? { namespace, name, port: Number(port) } : undefined;
}

function addressOf(text: string): { address: string; port: number } | undefined {
  const colon = text.lastIndexOf(':');
  const address = text.slice(0, Math.max(0, colon)).replace(/^\[(.*)\]$/, '$1');
  const port = Number(text.slice(colon + 1));
  return isIP(address) !== 0 && isPort(port) ? { address, port } : undefined;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}
