import { systemNamespace } from '../../core/model/index.ts';
import type { Finding } from './contract.ts';
import { egressHosts, selects } from './egress.ts';
import { isWildcard } from './hosts.ts';
import type { Lookup } from './lookup.ts';
import { findingOf, objectName, type SidecarObject } from './objects.ts';

/** Hosts that nobody has, and of several Sidecars for whole namespaces those that are not the oldest. */
export function checkSidecar(sidecar: SidecarObject, lookup: Lookup): readonly Finding[] {
  const findings: Finding[] = [];
  if (!selects(sidecar)) {
    const first = lookup.sidecars(sidecar.namespace).find((each) => !selects(each));
    if (first !== undefined && first !== sidecar) {
      const message = `not used: the older ${objectName(first)} holds for namespace ${sidecar.namespace} already`;
      findings.push(findingOf(sidecar, { severity: 'error', code: 'conflict', path: 'spec', message }));
    }
  }
  // There `.` is the namespace of whoever it holds for.
  const root = sidecar.namespace === systemNamespace && !selects(sidecar);
  for (const { namespace, host } of egressHosts(sidecar, root ? '*' : sidecar.namespace)) {
    if (namespace === '*' || isWildcard(host)) continue;
    const service = lookup.resolve(host, namespace);
    if (service !== undefined && service.namespace === namespace) continue;
    const message = service === undefined ? `no service answers to ${host}` : `${host} is ${service.key}, of another namespace`;
    findings.push(findingOf(sidecar, { severity: 'warning', code: 'unknown-host', path: 'spec.egress', message }));
  }
  return findings;
}
