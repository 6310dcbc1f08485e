import type { DestinationRef, WeightedDestination } from '../../core/traffic/index.ts';
import type { MergedService } from '../catalog/index.ts';
import type { Finding } from './contract.ts';
import { resolveDestination } from './destinations.ts';
import { isWildcard } from './hosts.ts';
import type { Lookup } from './lookup.ts';
import { familyOf } from './mesh-layers.ts';
import { objectName, type RouteObject } from './objects.ts';

export type Report = (severity: Finding['severity'], code: string, path: string, message: string) => void;

/** What destinations of one rule are likely not meant; `path` is the rule's. */
export function checkDestinations(
  route: RouteObject,
  destinations: readonly WeightedDestination<DestinationRef>[],
  path: string,
  lookup: Lookup,
  report: Report,
): void {
  const istio = route.kind === 'VirtualService';
  destinations.forEach((d, i) => {
    checkReference(route, d.destination, istio ? `${path}.route[${i}].destination` : `${path}.backendRefs[${i}]`, lookup, report);
  });
  const field = istio ? `${path}.route` : `${path}.backendRefs`;
  const sum = destinations.reduce((total, d) => total + Math.max(0, d.weight), 0);
  const single = istio && destinations.length === 1;
  if (sum <= 0 && !single)
    report(istio ? 'error' : 'warning', 'weight-sum', field, `no weight is over 0: every request is answered ${istio ? 503 : 500}`);
  else if (istio && destinations.length > 1 && sum !== 100)
    report('warning', 'weight-sum', field, `the weights sum to ${sum}, not 100: shares are relative`);
}

export function checkReference(route: RouteObject, ref: DestinationRef, path: string, lookup: Lookup, report: Report): void {
  const found = resolveDestination(ref, route, lookup, undefined);
  if (found.problem !== undefined) {
    report('error', found.problem.code, path, found.problem.message);
    return;
  }
  const { key, ports } = found.service;
  if (ref.port !== undefined || ports.length < 2) return;
  const wrong = listenerPorts(route, lookup).filter((port) => !ports.some((p) => p.port === port));
  if (wrong.length === 0) return;
  const message = `names no port, and ${key} has ${ports.map((p) => p.port).join(', ')}: what comes to port ${wrong.join(', ')} leads nowhere`;
  report('warning', 'dangling-reference', path, message);
}

/** Ports of what the route is for, as far as its rules apply to them. */
function listenerPorts(route: RouteObject, lookup: Lookup): readonly number[] {
  const ports = new Set<number>();
  const fitting = (service: MergedService | undefined, only?: number) => {
    for (const port of service?.ports ?? []) {
      const applies = familyOf(port) === 'http' ? route.spec.http.length > 0 : route.spec.l4.length > 0;
      if (applies && (only === undefined || only === port.port)) ports.add(port.port);
    }
  };
  for (const parent of route.spec.parents) {
    if (parent.type === 'service') fitting(lookup.service(objectName(parent) as MergedService['key']), parent.port);
    else if (parent.type === 'mesh')
      for (const host of route.spec.hosts) fitting(isWildcard(host) ? undefined : lookup.resolve(host, route.namespace));
    else {
      const origin = route.kind === 'VirtualService' ? 'istio' : 'gateway-api';
      for (const { port } of lookup.gateway(objectName(parent), origin)?.spec.servers ?? []) ports.add(port);
    }
  }
  const said = route.spec.http
    .flatMap((rule) => rule.conditions.flatMap((c) => c.ports))
    .concat(route.spec.l4.flatMap((rule) => rule.ports));
  // Where rules say for which ports they are, it is theirs to fit.
  return said.length > 0 ? [] : [...ports].sort((a, b) => a - b);
}
