import { accept, type Checked, reject, type Violation } from '../validate.ts';
import type { Any } from './gen/google/protobuf/any.ts';
import { Authz, Bundle, Cluster, Listener, LoadAssignment, Route, Telemetry, TunnelGateway } from './gen/isthmus/native/v1/native.ts';
import { Routing } from './gen/isthmus/native/v1/routing.ts';
import { nativeTypeUrls as urls } from './type-urls.ts';
import { checkAuthz } from './validate-authz.ts';
import { checkAssignment, checkBundle, checkCluster, checkListener, checkRoute } from './validate-native.ts';
import { checkRouting } from './validate-routing.ts';
import { checkTunnelGateway } from './validate-tunnel.ts';

export type NativeResource =
  | { readonly kind: 'bundle'; readonly name: string; readonly value: Bundle }
  | { readonly kind: 'cluster'; readonly name: string; readonly value: Cluster }
  | { readonly kind: 'loadAssignment'; readonly name: string; readonly value: LoadAssignment }
  | { readonly kind: 'listener'; readonly name: string; readonly value: Listener }
  | { readonly kind: 'route'; readonly name: string; readonly value: Route }
  | { readonly kind: 'authz'; readonly name: string; readonly value: Authz }
  | { readonly kind: 'routing'; readonly name: string; readonly value: Routing }
  | { readonly kind: 'telemetry'; readonly name: string; readonly value: Telemetry }
  | { readonly kind: 'tunnelGateway'; readonly name: string; readonly value: TunnelGateway };

/** The value, checked so that a data plane can use it as it is, or everything that is wrong with it. Never throws. */
export function decodeResource(any: Any): Checked<NativeResource> {
  try {
    const { resource, violations } = decode(any);
    return violations.length === 0 ? accept(resource) : reject(violations);
  } catch (error) {
    return reject([{ path: '', message: `not a readable ${any.typeUrl}: ${error instanceof Error ? error.message : String(error)}` }]);
  }
}

function decode({ typeUrl, value: bytes }: Any): { resource: NativeResource; violations: readonly Violation[] } {
  switch (typeUrl) {
    case urls.bundle: {
      const value = Bundle.decode(bytes);
      return { resource: { kind: 'bundle', name: value.trustDomain, value }, violations: checkBundle(value) };
    }
    case urls.cluster: {
      const value = Cluster.decode(bytes);
      return { resource: { kind: 'cluster', name: value.name, value }, violations: checkCluster(value) };
    }
    case urls.loadAssignment: {
      const value = LoadAssignment.decode(bytes);
      return { resource: { kind: 'loadAssignment', name: value.clusterName, value }, violations: checkAssignment(value) };
    }
    case urls.listener: {
      const value = Listener.decode(bytes);
      return { resource: { kind: 'listener', name: value.name, value }, violations: checkListener(value) };
    }
    case urls.route: {
      const value = Route.decode(bytes);
      return { resource: { kind: 'route', name: value.name, value }, violations: checkRoute(value) };
    }
    case urls.authz: {
      const value = Authz.decode(bytes);
      return { resource: { kind: 'authz', name: value.name, value }, violations: checkAuthz(value) };
    }
    case urls.routing: {
      const value = Routing.decode(bytes);
      return { resource: { kind: 'routing', name: value.name, value }, violations: checkRouting(value) };
    }
    case urls.telemetry: {
      const value = Telemetry.decode(bytes);
      return { resource: { kind: 'telemetry', name: value.name, value }, violations: [] };
    }
    case urls.tunnelGateway: {
      const value = TunnelGateway.decode(bytes);
      return { resource: { kind: 'tunnelGateway', name: value.name, value }, violations: checkTunnelGateway(value) };
    }
    default:
      throw new Error('a type that this version does not know');
  }
}
