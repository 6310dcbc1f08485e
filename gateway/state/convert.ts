import type { Protocol } from '../../core/model/index.ts';
import { native } from '../../core/xds/index.ts';
import type { AssignmentState, AuthzState, BundleState, ClusterState, EndpointState, ListenerState, RouteState } from './types.ts';

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
  if (kind.$case === 'originate') return { kind: 'originate', name, ...kind.value, protocol: protocolOf(kind.value.protocol) };
  const { namespace, service, hosts } = kind.value;
  const ports = kind.value.ports.map((port) => ({ ...port, protocol: protocolOf(port.protocol) }));
  return { kind: 'service', name, namespace, service, hosts, ports };
}

export function routeOf(message: native.Route): RouteState {
  const { name, clusterName, authzName } = message;
  const mode = message.mode === native.Route_Mode.TERMINATE ? 'terminate' : 'passthrough';
  return { name, mode, clusterName, authzName, protocol: protocolOf(message.protocol) };
}

export function clusterOf(message: native.Cluster): ClusterState {
  const connectTimeoutMs = message.connectTimeoutMs === 0 ? defaultConnectTimeoutMs : message.connectTimeoutMs;
  return { ...message, protocol: protocolOf(message.protocol), connectTimeoutMs };
}

export function assignmentOf(message: native.LoadAssignment): AssignmentState {
  return { clusterName: message.clusterName, endpoints: message.endpoints.map(endpointOf) };
}

function endpointOf(message: native.Endpoint): EndpointState {
  const { tls, ...rest } = message;
  return tls === undefined ? rest : { ...rest, tls };
}

export function bundleOf(message: native.Bundle): BundleState {
  return message;
}

export function authzOf(message: native.Authz): AuthzState {
  const rules = [...message.rules, ...message.guardedRules].map((rule) => ({
    ...rule,
    action: rule.action === native.AuthzRule_Action.DENY ? ('deny' as const) : ('allow' as const),
  }));
  return { name: message.name, rules };
}
