import type { ServiceKey } from '../../core/model/index.ts';
import type { MergedService } from '../catalog/index.ts';
import { l4Paths, rulePath } from './check-route.ts';
import type { ClusterPolicy, CompiledCheck, CompiledFault, CompiledGateway, Finding, ServiceTraffic } from './contract.ts';
import { findDelegate } from './delegate.ts';
import type { Lookup } from './lookup.ts';
import { layersOf } from './mesh-layers.ts';
import { findingOf, type GatewayObject, objectName, type RouteObject, type RuleObject } from './objects.ts';
import { effectiveRules } from './rule-path.ts';

/** What it is called in findings; `apply` refuses what brings a new one. */
export const refusedByProxies = 'refused-by-proxies';

/** An object and the place in it that made a rule. */
interface Source {
  readonly object: Finding['object'];
  readonly path: string;
}

/** What proxies would refuse of a service's compiled rules and policies, by the objects that they come from. */
export function checkCompiledService(
  service: MergedService,
  traffic: ServiceTraffic | undefined,
  lookup: Lookup,
  check: CompiledCheck,
): readonly Finding[] {
  if (traffic === undefined) return [];
  const wrong = [...traffic.routing.values()].flatMap(check.routing);
  const policies = policyFaults(service, traffic, lookup, check);
  if (wrong.length === 0) return policies;
  const objects = layersOf(service, lookup).layers.flatMap((layer) => layer.objects);
  return [...byRule(wrong, objects, service.key, lookup), ...policies];
}

/** As of a service, of the routes of the Gateways that share its ports. */
export function checkCompiledGateway(
  gateway: GatewayObject,
  { listeners, routings }: CompiledGateway,
  lookup: Lookup,
  check: CompiledCheck,
): readonly Finding[] {
  const name = `Gateway ${objectName(gateway)}`;
  const wrong = [...routings.values()].flatMap(check.routing);
  const own = { object: gateway, path: 'spec' };
  const findings = listeners.flatMap(check.listener).map((fault) => finding(own, fault, name));
  if (wrong.length === 0) return findings;
  const sharing = listeners.flatMap(({ port }) => lookup.gatewaysOn(port));
  const routes = [...new Set([gateway, ...sharing])].flatMap((each) => lookup.gatewayRoutes(each));
  return [...findings, ...byRule(wrong, [...new Set(routes)], name, lookup, own)];
}

function byRule(
  faults: readonly CompiledFault[],
  objects: readonly RouteObject[],
  what: ServiceKey | string,
  lookup: Lookup,
  own?: Source,
): readonly Finding[] {
  const sources = sourcesOf(objects, lookup);
  // What no single rule is to blame for is told of who came last.
  const last = objects.at(-1);
  const otherwise = own ?? (last === undefined ? undefined : { object: last, path: 'spec' });
  return faults.flatMap((fault) => {
    const source = sourceOf(fault.rule, sources) ?? otherwise;
    return source === undefined ? [] : [finding(source, fault, what)];
  });
}

function sourcesOf(objects: readonly RouteObject[], lookup: Lookup): ReadonlyMap<string, Source> {
  const found = new Map<string, Source>();
  for (const object of objects) {
    object.spec.http.forEach((rule, i) => {
      found.set(rule.name, { object, path: rulePath(object, i) });
      const delegate = rule.delegate === undefined ? undefined : findDelegate(object, rule.delegate, lookup);
      delegate?.spec.http.forEach((each, j) => {
        found.set(`${rule.name}-${each.name}`, { object: delegate, path: rulePath(delegate, j) });
      });
    });
    const paths = l4Paths(object);
    object.spec.l4.forEach(({ name }, i) => {
      found.set(name, { object, path: paths[i] ?? 'spec' });
    });
  }
  return found;
}

/** One rule may be several, whose names begin with its own: the longest that fits is meant. */
function sourceOf(rule: string | undefined, sources: ReadonlyMap<string, Source>): Source | undefined {
  if (rule === undefined) return undefined;
  const fitting = [...sources.keys()].filter((name) => rule === name || (rule.startsWith(name) && /^[/#]/.test(rule.slice(name.length))));
  return sources.get(fitting.sort((a, b) => b.length - a.length)[0] ?? '');
}

function policyFaults(service: MergedService, traffic: ServiceTraffic, lookup: Lookup, check: CompiledCheck): readonly Finding[] {
  const of = (policies: ReadonlyMap<number, ClusterPolicy>, subset: string, caller?: string) =>
    [...policies.values()].flatMap(({ traffic: said }) => {
      const faults = said === undefined ? [] : check.traffic(said);
      if (faults.length === 0) return [];
      const rules = effectiveRules(service, lookup, caller).all;
      return faults.map((fault) => finding(policySource(service, subset, fault, lookup, rules), fault, service.key));
    });
  const all = [[undefined, traffic] as const, ...traffic.callers].flatMap(([caller, { policies: whole, subsets }]) => [
    ...of(whole, '', caller),
    ...subsets.flatMap(({ name, policies }) => of(policies, name, caller)),
  ]);
  // Ports often share a policy.
  return [...new Map(all.map((each) => [JSON.stringify(each), each])).values()];
}

/** `rules`: DestinationRules that it may come from, in order of precedence. */
function policySource(
  service: MergedService,
  subset: string,
  { path }: CompiledFault,
  lookup: Lookup,
  rules: readonly RuleObject[],
): Source {
  const [health] = lookup.healthChecks(service);
  if (health !== undefined && /\.(healthCheck|successRate)\b/.test(path)) return { object: health.object, path: 'spec' };
  for (const rule of rules) {
    const i = rule.spec.subsets.findIndex((each) => each.name === subset);
    if (i >= 0) return { object: rule, path: `spec.subsets[${i}].trafficPolicy` };
  }
  const [first] = rules;
  const unnamed = { kind: 'Service', namespace: service.namespace, name: service.name };
  return first === undefined ? { object: health?.object ?? unnamed, path: 'spec' } : { object: first, path: 'spec.trafficPolicy' };
}

function finding({ object, path }: Source, fault: CompiledFault, what: string): Finding {
  const at = fault.path === '' ? '' : `${fault.path}: `;
  const message = `proxies would refuse what is made of it for ${what}, and stay on what they have: ${at}${fault.message}`;
  return findingOf(object, { severity: 'error', code: refusedByProxies, path, message });
}
