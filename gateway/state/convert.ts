import type { AccessLogging, SideLogging } from '../../core/access-log/index.ts';
import type { Protocol } from '../../core/model/index.ts';
import { native } from '../../core/xds/index.ts';
import { ingressOf } from './convert-routing.ts';
import { trafficOf } from './convert-traffic.ts';
import type { BundleState, ClusterState, ListenerState, RouteState, TunnelGatewayState } from './types.ts';

/** From the wire's messages, already checked, to our own words. Pure. */

const defaultConnectTimeoutMs = 5_000;

function protocolOf(protocol: native.Protocol): Protocol {
  switch (protocol) {
    case native.Protocol.HTTP:
      return 'http';
    case native.Protocol.HTTP2:
      return 'http2';
    case native.Protocol.GRPC:
      return 'grpc';
    case native.Protocol.TLS:
      return 'tls';
    default:
      // Also what a newer control plane knows and we do not: bytes are always right.
      return 'tcp';
  }
}

export function listenerOf(message: native.Listener): ListenerState | undefined {
  const { name, kind } = message;
  if (kind === undefined) return undefined;
  if (kind.$case === 'ingress') return ingressOf(name, kind.value);
  if (kind.$case === 'originate') {
    const { routingName, ...rest } = kind.value;
    return { kind: 'originate', name, ...rest, protocol: protocolOf(rest.protocol), ...named(routingName) };
  }
  const { namespace, service, hosts } = kind.value;
  const ports = kind.value.ports.map(({ routingName, ...port }) => ({
    ...port,
    protocol: protocolOf(port.protocol),
    ...named(routingName),
  }));
  return { kind: 'service', name, namespace, service, hosts, ports };
}

function named(routingName: string): { readonly routingName?: string } {
  return routingName === '' ? {} : { routingName };
}

export function routeOf(message: native.Route): RouteState {
  const { name, clusterName, authzName } = message;
  const mode = message.mode === native.Route_Mode.TERMINATE ? 'terminate' : 'passthrough';
  return { name, mode, clusterName, authzName, protocol: protocolOf(message.protocol) };
}

export function clusterOf(message: native.Cluster): ClusterState {
  const { traffic, guardedPort, ...rest } = message;
  const connectTimeoutMs = message.connectTimeoutMs === 0 ? defaultConnectTimeoutMs : message.connectTimeoutMs;
  const port = guardedPort === 0 ? message.port : guardedPort;
  const used = traffic === undefined ? {} : { traffic: trafficOf(traffic) };
  return { ...rest, port, protocol: protocolOf(message.protocol), connectTimeoutMs, ...used };
}

export function bundleOf({ federated, ...message }: native.Bundle): BundleState {
  return federated === true ? { ...message, federated } : message;
}

export function tunnelGatewayOf({ tls, ...rest }: native.TunnelGateway): TunnelGatewayState | undefined {
  return tls === undefined ? undefined : { ...rest, tls };
}

export function loggingOf({ client, server }: native.Telemetry): AccessLogging {
  return { client: sideOf(client), server: sideOf(server) };
}

function sideOf(side: native.AccessLog | undefined): SideLogging {
  const { disabled = false, filter = '' } = side ?? {};
  return { enabled: !disabled, ...(filter === '' ? {} : { filter }) };
}
