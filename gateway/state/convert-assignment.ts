import type { native } from '../../core/xds/index.ts';
import type { AssignmentState, EndpointState } from './types.ts';

/** Healthy and unhealthy endpoints in one list again, each with its real priority, in the order of the intermediate representation. Pure. */
export function assignmentOf(message: native.LoadAssignment): AssignmentState {
  const { clusterName, priorities, localities } = message;
  const usable = message.endpoints.map((each) => endpointOf(each, priorities[each.priority] ?? each.priority));
  const unhealthy = message.unhealthyEndpoints.map((each) => ({ ...endpointOf(each, each.priority), unhealthy: true }));
  const endpoints = unhealthy.length === 0 ? usable : [...usable, ...unhealthy].sort(byPlace);
  return { clusterName, endpoints, ...(localities.length === 0 ? {} : { localities }) };
}

function endpointOf(message: native.Endpoint, priority: number): EndpointState {
  const { tls, ...rest } = message;
  return tls === undefined ? { ...rest, priority } : { ...rest, priority, tls };
}

function byPlace(a: EndpointState, b: EndpointState): number {
  return (
    a.priority - b.priority ||
    compare(a.address, b.address) ||
    a.port - b.port ||
    compare(a.tls?.sni ?? '', b.tls?.sni ?? '') ||
    compare(a.tls?.clusterSan ?? '', b.tls?.clusterSan ?? '')
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
