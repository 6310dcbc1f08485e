import type { native } from '../../core/xds/index.ts';
import type { AssignmentState, EndpointState, TunnelState } from './types.ts';

/** Healthy and unhealthy endpoints in one list again, each with its real priority, in the order of the intermediate representation. Pure. */
export function assignmentOf(message: native.LoadAssignment): AssignmentState {
  const { clusterName, priorities, localities } = message;
  const usable = message.endpoints.map((each) => endpointOf(each, priorities[each.priority] ?? each.priority));
  const unhealthy = message.unhealthyEndpoints.map((each) => ({ ...endpointOf(each, each.priority), unhealthy: true }));
  const tunnelled = (message.tunnelled?.endpoints ?? []).map((each) => endpointOf(each, each.priority));
  const others = [...unhealthy, ...tunnelled];
  const endpoints = others.length === 0 ? usable : [...usable, ...others].sort(byPlace);
  return { clusterName, endpoints, ...(localities.length === 0 ? {} : { localities }) };
}

function endpointOf(message: native.Endpoint, priority: number): EndpointState {
  const { tls, tunnel, ...rest } = message;
  const ways = { ...(tls === undefined ? {} : { tls }), ...(tunnel === undefined ? {} : { tunnel: tunnelOf(tunnel) }) };
  return { ...rest, priority, ...ways };
}

function tunnelOf({ secretSha256, ...rest }: native.Tunnel): TunnelState {
  return { ...rest, secretSha256: Buffer.from(secretSha256).toString('hex') };
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
