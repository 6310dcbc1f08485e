import type { RouteParent } from '../../core/config/index.ts';
import type { Report } from './check-destinations.ts';
import { serversOf } from './gateway-server.ts';
import { isWildcard } from './hosts.ts';
import type { Lookup } from './lookup.ts';
import type { Condition } from './match-merge.ts';
import { objectName, type RouteObject } from './objects.ts';
import { gatewayName } from './rules.ts';

/** A rule of a VirtualService with the conditions of one of its matches. */
interface Conditioned {
  readonly path: string;
  readonly condition: Condition;
}

/** Ports and gateways that matches ask for, and at which the object is not in force. Of a delegate its roots decide. */
export function checkConditions(route: RouteObject, paths: PathsOf, lookup: Lookup, report: Report): void {
  if (route.kind !== 'VirtualService' || route.spec.parents.length === 0) return;
  const bound = route.spec.parents.map((p) => (p.type === 'mesh' ? 'mesh' : objectName(p)));
  const ports = knownPorts(route, lookup);
  for (const { path, condition } of conditionsOf(route, paths)) {
    for (const name of condition.gateways.filter((each) => !bound.includes(gatewayName(each, route.namespace)))) {
      report('warning', 'no-effect', `${path}.gateways`, `never holds for ${name}, which is none of the gateways of this object`);
    }
    for (const port of condition.ports.filter((each) => ports !== undefined && !ports.includes(each))) {
      report('warning', 'no-effect', `${path}.port`, `never holds: none of the hosts has a port ${port} (there are ${ports?.join(', ')})`);
    }
  }
}

interface PathsOf {
  readonly http: (i: number) => string;
  readonly l4: readonly string[];
}

function conditionsOf(route: RouteObject, paths: PathsOf): readonly Conditioned[] {
  const http = route.spec.http.flatMap((rule, i) =>
    rule.conditions.map((condition, j) => ({ path: `${paths.http(i)}.match[${j}]`, condition })),
  );
  // Each match is a rule of its own here.
  const l4 = route.spec.l4.map(({ ports, gateways = [] }, i) => ({
    path: `${paths.l4[i] ?? 'spec'}.match`,
    condition: { ports, gateways },
  }));
  return [...http, ...l4];
}

/** Undefined: a host or a gateway is not known, or may be any. */
function knownPorts(route: RouteObject, lookup: Lookup): readonly number[] | undefined {
  const found = route.spec.parents.map((parent) => portsAt(parent, route, lookup));
  if (found.some((ports) => ports === undefined)) return undefined;
  return [...new Set(found.flatMap((ports) => ports ?? []))].sort((a, b) => a - b);
}

function portsAt(parent: RouteParent, route: RouteObject, lookup: Lookup): readonly number[] | undefined {
  if (parent.type === 'gateway') {
    const gateway = lookup.gateway(objectName(parent), 'istio');
    return gateway === undefined ? undefined : serversOf(gateway).map(({ server }) => server.port);
  }
  if (route.spec.hosts.some(isWildcard)) return undefined;
  const services = route.spec.hosts.map((host) => lookup.resolve(host, route.namespace));
  return services.some((service) => service === undefined) ? undefined : services.flatMap((s) => s?.ports.map(({ port }) => port) ?? []);
}
