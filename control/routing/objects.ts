import type {
  DestinationRuleSpec,
  GatewaySpec,
  HealthCheckPolicySpec,
  ReferenceGrantSpec,
  RouteSpec,
  ServiceEntrySpec,
  SidecarSpec,
  TelemetrySpec,
  TrafficObject,
  TrafficObjectOf,
  TrafficShiftSpec,
} from '../../core/config/index.ts';
import { compareText } from '../catalog/index.ts';
import type { Finding } from './contract.ts';

/** The kinds that are compiled, by name. */
export type RouteObject = TrafficObjectOf<RouteSpec['origin'], RouteSpec>;
export type RuleObject = TrafficObjectOf<'DestinationRule', DestinationRuleSpec>;
export type HealthObject = TrafficObjectOf<'HealthCheckPolicy', HealthCheckPolicySpec>;
export type GatewayObject = TrafficObjectOf<'Gateway', GatewaySpec>;
export type EntryObject = TrafficObjectOf<'ServiceEntry', ServiceEntrySpec>;
export type SidecarObject = TrafficObjectOf<'Sidecar', SidecarSpec>;
export type TelemetryObject = TrafficObjectOf<'Telemetry', TelemetrySpec>;
export type ShiftObject = TrafficObjectOf<'TrafficShift', TrafficShiftSpec>;
export type GrantObject = TrafficObjectOf<'ReferenceGrant', ReferenceGrantSpec>;

/** Unique among all objects: the Gateway API's Gateway is not Istio's. */
export function objectId(object: TrafficObject): string {
  return objectIdOf(object.group, object.kind, object.namespace, object.name);
}

export function objectIdOf(group: string, kind: TrafficObject['kind'], namespace: string, name: string): string {
  return `${group}/${kind}/${namespace}/${name}`;
}

export function objectName(object: { readonly namespace: string; readonly name: string }): string {
  return `${object.namespace}/${object.name}`;
}

export function findingOf(
  object: { readonly kind: string; readonly namespace: string; readonly name: string },
  finding: Omit<Finding, 'object'>,
): Finding {
  return { ...finding, object: { kind: object.kind, namespace: object.namespace, name: object.name } };
}

/** Both kinds of objects say so: the older first, then by NAMESPACE/NAME. */
export function olderFirst(a: TrafficObject, b: TrafficObject): number {
  return createdAt(a) - createdAt(b) || compareText(objectName(a), objectName(b)) || compareText(objectId(a), objectId(b));
}

function createdAt({ spec }: TrafficObject): number {
  return 'createdAt' in spec ? spec.createdAt : 0;
}

/** Namespaces that an exportTo names; undefined: all. `~` is nobody. */
export function visibleTo(exportTo: readonly string[], own: string): readonly string[] | undefined {
  if (exportTo.length === 0 || exportTo.includes('*')) return undefined;
  return [...new Set(exportTo.filter((n) => n !== '~').map((n) => (n === '.' ? own : n)))].sort(compareText);
}
