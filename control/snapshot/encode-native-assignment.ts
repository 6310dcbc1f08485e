import type { native } from '../../core/xds/index.ts';
import type { AssignmentIr, EndpointIr } from './ir.ts';

/** Unhealthy endpoints stand apart, and the others in priorities without a gap, for readers that know nothing of health. Pure. */
export function assignmentMessage(clusterName: string, ir: AssignmentIr): native.LoadAssignment {
  const localities = (ir.localities ?? []).map((share) => ({ ...share }));
  const through = ir.endpoints.filter((each) => each.tunnel !== undefined);
  if (through.length > 0) return tunnelledMessage(clusterName, through);
  const unhealthy = ir.endpoints.filter((each) => each.unhealthy === true);
  if (unhealthy.length === 0) {
    return { clusterName, endpoints: ir.endpoints.map((e) => endpoint(e, e.priority)), unhealthyEndpoints: [], priorities: [], localities };
  }
  const usable = ir.endpoints.filter((each) => each.unhealthy !== true);
  const real = [...new Set(usable.map((each) => each.priority))].sort((a, b) => a - b);
  return {
    clusterName,
    endpoints: usable.map((each) => endpoint(each, real.indexOf(each.priority))),
    unhealthyEndpoints: unhealthy.map((each) => endpoint(each, each.priority)),
    priorities: real.every((priority, i) => priority === i) ? [] : real,
    localities,
  };
}

/** A reader that does not know of tunnels sees nobody. */
function tunnelledMessage(clusterName: string, through: readonly EndpointIr[]): native.LoadAssignment {
  const endpoints = through.map((each) => endpoint(each, each.priority));
  return { clusterName, endpoints: [], unhealthyEndpoints: [], priorities: [], localities: [], tunnelled: { endpoints } };
}

function endpoint({ tunnel, ...e }: EndpointIr, priority: number): native.Endpoint {
  return {
    ...e,
    priority,
    tls: e.tls === undefined ? undefined : { ...e.tls, uriSans: [...e.tls.uriSans] },
    ...(tunnel === undefined ? {} : { tunnel: { ...tunnel, secretSha256: Buffer.from(tunnel.secretSha256, 'hex') } }),
  };
}
