import type { AccessLogging } from '../../core/access-log/index.ts';
import type { Routing } from '../../core/traffic/index.ts';
import { formatViolation } from '../../core/validate.ts';
import { decodeResource, type NativeResource, nativeTypeUrls, type ResourceRejection, type XdsUpdate } from '../../core/xds/index.ts';
import { bundleOf, clusterOf, listenerOf, loggingOf, routeOf, tunnelGatewayOf } from './convert.ts';
import { assignmentOf } from './convert-assignment.ts';
import { authzOf } from './convert-authz.ts';
import { routingOf } from './convert-routing.ts';
import type {
  AssignmentState,
  AuthzState,
  BundleState,
  ClusterState,
  DataPlaneState,
  ListenerState,
  RouteState,
  TunnelGatewayState,
} from './types.ts';

/**
 * The next state, and what of the update was refused: of that the last good version stays, and nothing else is held up by
 * it. Pure; returns the same state when nothing changed.
 */
export function applyUpdate(
  state: DataPlaneState,
  update: XdsUpdate,
): { readonly state: DataPlaneState; readonly rejections: readonly ResourceRejection[] } {
  const rejections: ResourceRejection[] = [];
  const accepted: NativeResource[] = [];
  for (const { name, any } of update.changed) {
    const decoded = decodeResource(any);
    if (!decoded.ok) rejections.push({ name, reason: decoded.violations.map(formatViolation).join('; ') });
    else if (decoded.value.name !== name) rejections.push({ name, reason: `is named ${decoded.value.name} inside` });
    else accepted.push(decoded.value);
  }
  const field = fields.get(update.typeUrl);
  if (field === undefined) return { state, rejections };
  const removed = update.removed.filter((name) => state[field].has(name));
  if (accepted.length === 0 && removed.length === 0) return { state, rejections };
  const draft = draftOf(state, field);
  for (const name of removed) draft.map.delete(name);
  for (const resource of accepted) {
    const value = stateOf(resource);
    if (value !== undefined) draft.map.set(resource.name, value);
  }
  return { state: draft.state, rejections };
}

type Value =
  | ListenerState
  | RouteState
  | ClusterState
  | AssignmentState
  | BundleState
  | AuthzState
  | Routing
  | AccessLogging
  | TunnelGatewayState;

function stateOf(resource: NativeResource): Value | undefined {
  switch (resource.kind) {
    case 'listener':
      return listenerOf(resource.value);
    case 'route':
      return routeOf(resource.value);
    case 'cluster':
      return clusterOf(resource.value);
    case 'loadAssignment':
      return assignmentOf(resource.value);
    case 'bundle':
      return bundleOf(resource.value);
    case 'authz':
      return authzOf(resource.value);
    case 'routing':
      return routingOf(resource.value);
    case 'telemetry':
      return loggingOf(resource.value);
    case 'tunnelGateway':
      return tunnelGatewayOf(resource.value);
  }
}

const fields: ReadonlyMap<string, keyof DataPlaneState> = new Map([
  [nativeTypeUrls.listener, 'listeners'],
  [nativeTypeUrls.route, 'routes'],
  [nativeTypeUrls.cluster, 'clusters'],
  [nativeTypeUrls.loadAssignment, 'assignments'],
  [nativeTypeUrls.bundle, 'bundles'],
  [nativeTypeUrls.authz, 'authz'],
  [nativeTypeUrls.routing, 'routings'],
  [nativeTypeUrls.telemetry, 'telemetry'],
  [nativeTypeUrls.tunnelGateway, 'tunnelGateways'],
]);

/** One update is of one type: its map is copied once, whatever the update holds. */
function draftOf(state: DataPlaneState, field: keyof DataPlaneState): { readonly state: DataPlaneState; readonly map: Map<string, Value> } {
  const map = new Map<string, Value>(state[field]);
  return { state: { ...state, [field]: map }, map };
}
