import type { MergedService } from '../catalog/index.ts';
import { checkConditions } from './check-conditions.ts';
import { checkDestinations, checkReference, type Report } from './check-destinations.ts';
import { checkEffect } from './check-effect.ts';
import type { Finding } from './contract.ts';
import { covers } from './covers.ts';
import { conditioned, findDelegate, leftOut } from './delegate.ts';
import { attach, serversOf } from './gateway-server.ts';
import { hostKeys, isWildcard } from './hosts.ts';
import type { Lookup } from './lookup.ts';
import { familyOf } from './mesh-layers.ts';
import { findingOf, type GatewayObject, objectIdOf, objectName, type RouteObject } from './objects.ts';

/** What of a route is likely not meant, whoever it is for. */
export function checkRoute(route: RouteObject, lookup: Lookup): readonly Finding[] {
  const findings: Finding[] = [];
  const report: Report = (severity, code, path, message) => findings.push(findingOf(route, { severity, code, path, message }));
  checkHosts(route, lookup, report);
  checkParents(route, lookup, report);
  route.spec.http.forEach((rule, i) => {
    const path = rulePath(route, i);
    if (rule.delegate !== undefined) checkDelegate(route, i, lookup, report);
    else if (rule.action.type === 'route') {
      checkDestinations(route, rule.action.destinations, path, lookup, report);
      for (const [k, m] of rule.action.mirrors.entries())
        checkReference(route, m.destination, `${path}.${mirrorPath(route, k)}`, lookup, report);
    }
  });
  for (const [i, path] of l4Paths(route).entries()) checkDestinations(route, route.spec.l4[i]?.destinations ?? [], path, lookup, report);
  checkShadows(route, report);
  checkConditions(route, { http: (i) => rulePath(route, i), l4: l4Paths(route) }, lookup, report);
  checkEffect(route, (i) => rulePath(route, i), lookup, report);
  return findings;
}

export function rulePath(route: RouteObject, i: number): string {
  return route.kind === 'VirtualService' ? `spec.http[${i}]` : `spec.rules[${i}]`;
}

/** By kind of rule, as the object counts them. */
export function l4Paths(route: RouteObject): readonly string[] {
  const counts = { tcp: 0, tls: 0 };
  return route.spec.l4.map(({ type, name }, i, all) => {
    // One rule with several matches is several here, each with a name of its own that begins alike.
    const again = i > 0 && all[i - 1]?.type === type && ruleOf(all[i - 1]?.name) === ruleOf(name);
    if (!again) counts[type] += 1;
    const number = counts[type] - 1;
    return route.kind === 'VirtualService' ? `spec.${type}[${number}]` : `spec.rules[${number}]`;
  });
}

function ruleOf(name = ''): string {
  return /^.*\/(tcp|tls)-\d+/.exec(name)?.[0] ?? name;
}

function mirrorPath(route: RouteObject, i: number): string {
  return route.kind === 'VirtualService' ? `mirrors[${i}].destination` : 'filters';
}

/** Hosts of a gateway are whatever people ask for; those of the mesh are of its services. */
function checkHosts(route: RouteObject, lookup: Lookup, report: Report): void {
  if (route.kind !== 'VirtualService' || !route.spec.parents.some((p) => p.type === 'mesh')) return;
  const meshAlone = route.spec.parents.every((p) => p.type === 'mesh');
  // Where a gateway is meant as well, what only the mesh can mean.
  const isOfMesh = (host: string) => meshAlone || hostKeys(host, route.namespace, lookup.hostSuffix).every((key) => key.includes('/'));
  route.spec.hosts.forEach((host, i) => {
    if (isWildcard(host)) return;
    const service = lookup.resolve(host, route.namespace);
    const path = `spec.hosts[${i}]`;
    if (service === undefined && isOfMesh(host)) report('warning', 'unknown-host', path, `no service answers to ${host}`);
    if (service !== undefined && meshAlone) checkProtocols(route, service, path, report);
  });
}

function checkProtocols(route: RouteObject, service: MergedService, path: string, report: Report): void {
  const families = new Set(service.ports.map(familyOf));
  const { http, l4 } = route.spec;
  const wrong = (kind: string) =>
    report(
      'error',
      'protocol-mismatch',
      path,
      `${kind} rules apply to no port of ${service.key}: its ports are ${service.ports.map((p) => `${p.port} ${p.protocol}`).join(', ')}`,
    );
  if (http.length > 0 && !families.has('http')) wrong('http');
  if (l4.some((r) => r.type === 'tls') && !families.has('tls')) wrong('tls');
  if (l4.some((r) => r.type === 'tcp') && !families.has('tcp') && !families.has('tls')) wrong('tcp');
}

function checkParents(route: RouteObject, lookup: Lookup, report: Report): void {
  const field = route.kind === 'VirtualService' ? 'spec.gateways' : 'spec.parentRefs';
  // `mesh` is one of the gateways that Istio lists.
  route.spec.parents.forEach((parent, i) => {
    const path = `${field}[${i}]`;
    if (parent.type === 'mesh') return;
    const name = objectName(parent);
    if (parent.type === 'service') {
      const service = lookup.service(name as MergedService['key']);
      if (service === undefined) report('error', 'dangling-reference', path, `there is no service ${name}`);
      else if (parent.port !== undefined && !service.ports.some((p) => p.port === parent.port)) {
        report('error', 'dangling-reference', path, `service ${name} has no port ${parent.port}`);
      } else checkProtocols(route, service, path, report);
      return;
    }
    const gateway = lookup.gateway(name, route.kind === 'VirtualService' ? 'istio' : 'gateway-api');
    if (gateway === undefined) report('error', 'dangling-reference', path, `there is no Gateway ${name}`);
    else checkAttachment(route, gateway, parent.section, path, lookup, report);
  });
}

function checkAttachment(
  route: RouteObject,
  gateway: GatewayObject,
  section: string | undefined,
  path: string,
  lookup: Lookup,
  report: Report,
): void {
  const servers = serversOf(gateway).filter(({ server }) => section === undefined || server.name === section);
  const found = servers.map((server) => attach(route, server, lookup.hostSuffix));
  if (found.some((f) => f !== undefined && 'hosts' in f)) return;
  const reasons = new Set(found.map((f) => (f !== undefined && 'refused' in f ? f.refused : undefined)).filter((r) => r !== undefined));
  const why = servers.length === 0 ? 'it has no such listener' : [...reasons].join('; ') || 'none of its listeners is meant';
  report('error', 'not-attached', path, `not attached to Gateway ${objectName(gateway)}: ${why}`);
}

function checkDelegate(route: RouteObject, i: number, lookup: Lookup, report: Report): void {
  const rule = route.spec.http[i];
  const ref = rule?.delegate;
  if (rule === undefined || ref === undefined) return;
  const path = `${rulePath(route, i)}.delegate`;
  const found = findDelegate(route, ref, lookup);
  if (found !== undefined) {
    for (const j of leftOut(rule, found)) {
      const why = found.spec.http[j]?.delegate === undefined ? 'matches more than this rule does' : 'delegates again';
      report('warning', 'no-effect', path, `${rulePath(found, j)} of VirtualService ${objectName(found)} is left out here: it ${why}`);
    }
    return;
  }
  const there = lookup.object(objectIdOf(route.group, 'VirtualService', ref.namespace, ref.name)) !== undefined;
  const why = there ? 'has hosts of its own, or is not exported to this namespace' : 'is not there';
  report('error', 'dangling-reference', path, `VirtualService ${ref.namespace}/${ref.name} ${why}: the rule is left out`);
}

/** In order, as Istio has them; the Gateway API's are put in order by what they say, so only an equal one hides another. */
function checkShadows(route: RouteObject, report: Report): void {
  const before: { readonly path: string; readonly matches: ReturnType<typeof conditioned> }[] = [];
  route.spec.http.forEach((rule, i) => {
    const path = rulePath(route, i);
    const matches = conditioned(rule);
    const hiding = before.find((earlier) => hides(earlier.matches, matches, route.kind === 'VirtualService'));
    if (hiding !== undefined) report('warning', 'shadowed-rule', path, `never reached: ${hiding.path} takes every request that it matches`);
    // What a delegate takes is known to it alone.
    if (rule.delegate === undefined) before.push({ path, matches });
  });
}

function hides(a: ReturnType<typeof conditioned>, b: ReturnType<typeof conditioned>, inOrder: boolean): boolean {
  // There a regular expression comes after every prefix, whatever it takes.
  const isRegex = ({ match }: (typeof a)[number]) => match.path?.type === 'regex';
  const equal = (one: (typeof a)[number], other: (typeof a)[number]) =>
    isRegex(one) === isRegex(other) && covers(other, one) && covers(one, other);
  if (!inOrder) return b.length > 0 && b.every((one) => a.some((other) => equal(one, other)));
  if (a.length === 0) return true;
  return b.length > 0 && b.every((one) => a.some((other) => covers(other, one)));
}
