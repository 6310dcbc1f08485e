import { outboundClusterName, type ServicePort } from '../../core/model/index.ts';
import type { ClusterRef, HttpRule, L4Rule, Routing } from '../../core/traffic/index.ts';
import type { MergedService } from '../catalog/index.ts';
import type { Finding, ServiceTraffic } from './contract.ts';
import type { RuleContext } from './destinations.ts';
import type { Lookup } from './lookup.ts';
import { familyOf, httpRules, type Layer, l4Rules, layersOf } from './mesh-layers.ts';
import { objectName } from './objects.ts';
import { compilePolicies } from './policies.ts';
import { onlyFor, withUniqueNames } from './rules.ts';
import { type SplitRoute, splitOf, splitRoute } from './shift.ts';

export interface CompiledService {
  /** Undefined: nothing is said of it. */
  readonly traffic: ServiceTraffic | undefined;
  readonly findings: readonly Finding[];
}

/** All that is said of one service, for callers in the mesh. */
export function compileService(service: MergedService, lookup: Lookup): CompiledService {
  const { layers, findings } = layersOf(service, lookup);
  const routing = new Map<number, Routing>();
  const ruled = layers.length > 0 || lookup.shift(service.key) !== undefined;
  for (const port of ruled ? service.ports : []) {
    const compiled = compilePort(service, port, layers, lookup);
    if (compiled !== undefined) routing.set(port.port, compiled);
  }
  const { findings: conflicts, ...said } = compilePolicies(service, lookup);
  const isSilent = routing.size + said.subsets.length + said.policies.size + said.callers.size === 0;
  const traffic = isSilent ? undefined : { routing, ...said };
  return { traffic, findings: [...findings, ...conflicts] };
}

function compilePort(service: MergedService, port: ServicePort, layers: readonly Layer[], lookup: Lookup): Routing | undefined {
  const context = { lookup, listenerPort: port.port, gateway: 'mesh', onService: () => undefined };
  const host = lookup.canonicalHost(service);
  const own = ownRoute(service, port, host, lookup);
  const family = familyOf(port);
  if (family === 'http') {
    const rules = httpOf(layers, context, own);
    if (rules === undefined) return undefined;
    // Whatever an application calls it, who reaches this port asks for this service.
    return { virtualHosts: [{ name: `${host}:${port.port}`, domains: ['*'], rules: withUniqueNames(rules) }], l4: [] };
  }
  const l4 = l4Of(layers, family, context, own);
  return l4 === undefined ? undefined : { virtualHosts: [], l4: withUniqueNames(l4) };
}

/** Where everything goes that no rule is about. */
interface OwnRoute extends SplitRoute {
  /** There is reason to say so where nobody has a rule. */
  readonly needed: boolean;
}

function ownRoute(service: MergedService, { port }: ServicePort, host: string, lookup: Lookup): OwnRoute {
  const split = splitOf(service, port, lookup);
  const led = { destination: { cluster: outboundClusterName({ port, subset: '', host }) }, split };
  return { ...splitRoute([{ led, weight: 1 }], []), needed: split !== undefined };
}

type Context = Omit<RuleContext, 'object'>;

function httpOf(layers: readonly Layer[], context: Context, { needed, ...own }: OwnRoute): readonly HttpRule<ClusterRef>[] | undefined {
  const rules: HttpRule<ClusterRef>[] = [];
  for (const layer of layers) {
    const found = httpRules(layer, context);
    if (found === undefined) continue;
    if (layer.callers === undefined) return [...rules, ...found];
    rules.push(...onlyFor([...found, unmatched(layer)], layer.callers));
  }
  if (rules.length === 0 && !needed) return undefined;
  const action = { type: 'route' as const, ...own };
  return [...rules, { name: 'default', matches: [], action }];
}

/** A caller whom a route is for has no other: what none of its rules matches is not found. */
function unmatched(layer: Layer): HttpRule<ClusterRef> {
  return { name: `${nameOf(layer)}/no-match`, matches: [], action: { type: 'direct', status: 404 } };
}

function nameOf(layer: Layer): string {
  return layer.objects[0] === undefined ? '' : objectName(layer.objects[0]);
}

function l4Of(layers: readonly Layer[], family: 'tls' | 'tcp', context: Context, own: OwnRoute): readonly L4Rule<ClusterRef>[] | undefined {
  const rules: L4Rule<ClusterRef>[] = [];
  for (const layer of layers) {
    const found = l4Rules(layer, family, context);
    if (found === undefined) continue;
    if (layer.callers === undefined) return [...rules, ...found];
    const closed = {
      name: `${nameOf(layer)}/no-match`,
      matches: [],
      destinations: [{ destination: { cluster: '', missing: 503 as const }, weight: 1 }],
    };
    rules.push(...onlyFor([...found, closed], layer.callers));
  }
  const { needed, mirrors: _, ...leads } = own;
  if (rules.length === 0 && !needed) return undefined;
  return [...rules, { name: 'default', matches: [], ...leads }];
}
