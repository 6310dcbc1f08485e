import { systemNamespace } from '../../core/model/index.ts';
import type { Finding } from './contract.ts';
import { egressHosts } from './egress.ts';
import { isWildcard } from './hosts.ts';
import type { Lookup } from './lookup.ts';
import { findingOf, objectName, type SidecarObject, type TelemetryObject } from './objects.ts';
import { sidecarSelector, telemetrySelector } from './select-workload.ts';

/** Hosts that nobody has, and of several Sidecars for whole namespaces those that are not the oldest. */
export function checkSidecar(sidecar: SidecarObject, lookup: Lookup): readonly Finding[] {
  const whole = Object.keys(sidecarSelector(sidecar)).length === 0;
  const others = lookup.sidecars(sidecar.namespace);
  const findings = [...notTheOldest(sidecar, others, sidecarSelector)];
  // There `.` is the namespace of whoever it holds for.
  const root = whole && sidecar.namespace === systemNamespace;
  for (const { namespace, host } of egressHosts(sidecar, root ? '*' : sidecar.namespace)) {
    if (namespace === '*' || isWildcard(host)) continue;
    const service = lookup.resolve(host, namespace);
    if (service !== undefined && service.namespace === namespace) continue;
    const message = service === undefined ? `no service answers to ${host}` : `${host} is ${service.key}, of another namespace`;
    findings.push(findingOf(sidecar, { severity: 'warning', code: 'unknown-host', path: 'spec.egress', message }));
  }
  return findings;
}

/** Of several Telemetries for the same workloads all but the oldest. */
export function checkTelemetry(telemetry: TelemetryObject, lookup: Lookup): readonly Finding[] {
  return notTheOldest(telemetry, lookup.telemetries(telemetry.namespace), telemetrySelector);
}

/** `all`: of the namespace, the older first. Those for some workloads alone may hold for different ones. */
function notTheOldest<T extends SidecarObject | TelemetryObject>(
  object: T,
  all: readonly T[],
  selectorOf: (object: T) => Readonly<Record<string, string>>,
): readonly Finding[] {
  const whole = (each: T) => Object.keys(selectorOf(each)).length === 0;
  const first = all.find(whole);
  if (!whole(object) || first === undefined || first === object) return [];
  const message = `not used: the older ${objectName(first)} holds for namespace ${object.namespace} already`;
  return [findingOf(object, { severity: 'error', code: 'conflict', path: 'spec', message })];
}
