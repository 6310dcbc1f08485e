import type { ClusterRef, ClusterTraffic, HttpRule, Routing } from '../../core/traffic/index.ts';
import type { Violation } from '../../core/validate.ts';
import { Cluster, edsCluster, RouteConfiguration, routeConfiguration, routingHosts } from '../../core/xds/envoy/index.ts';
import { decodeResource } from '../../core/xds/index.ts';
import type { CompiledCheck, CompiledFault } from '../routing/index.ts';
import { encodeNative } from './encode-native.ts';
import type { IrOf, Resource, ResourceKind } from './ir.ts';

/** What our proxies say of compiled parts by their own validation, and whether either dialect can carry them. Remembers what it was asked: parts are shared. */
export const compiledCheck: CompiledCheck = {
  routing: remembered(routingFaults),
  traffic: remembered(trafficFaults),
  listener: remembered((listener) => said('listener', { type: 'ingress', ...listener })),
};

function remembered<T extends object>(check: (part: T) => readonly CompiledFault[]): (part: T) => readonly CompiledFault[] {
  const known = new WeakMap<T, readonly CompiledFault[]>();
  return (part) => {
    const found = known.get(part) ?? check(part);
    known.set(part, found);
    return found;
  };
}

/** Names do not matter here, as long as there is one. */
const anyName = 'outbound_.80_._any';

function said<K extends ResourceKind>(kind: K, value: IrOf[K]): readonly Violation[] {
  const resource: Resource<K> = { kind, name: anyName, version: '', value };
  return encoded(() => {
    const { typeUrl, value: bytes } = encodeNative(resource);
    const checked = decodeResource({ typeUrl, value: Buffer.from(bytes) });
    return checked.ok ? [] : checked.violations;
  });
}

/** Fields that do not hold a value throw. */
function encoded(work: () => readonly Violation[]): readonly Violation[] {
  try {
    return work();
  } catch (error) {
    return [{ path: '', message: `cannot be encoded: ${error instanceof Error ? error.message : String(error)}` }];
  }
}

function routingFaults(routing: Routing): readonly CompiledFault[] {
  const found = [...said('routing', routing), ...forEnvoy(routing)];
  // A message that cannot be made does not say where: each rule is tried alone.
  const nowhere = found.filter((fault) => fault.path === '');
  return nowhere.length === 0 ? found.map((fault) => placed(fault, routing)) : ruleByRule(routing);
}

function ruleByRule(routing: Routing): readonly CompiledFault[] {
  const alone = [
    ...routing.virtualHosts.flatMap((host) =>
      host.rules.map((rule) => ({ rule, part: { virtualHosts: [{ ...host, rules: [rule] }], l4: [] } })),
    ),
    ...routing.l4.map((rule) => ({ rule, part: { virtualHosts: [], l4: [rule] } })),
  ];
  return alone.flatMap(({ rule, part }) => {
    const found = [...said('routing', part), ...forEnvoy(part)];
    const messages = new Set(found.filter((fault) => fault.path === '').map((fault) => fault.message));
    return [
      ...[...messages].map((message) => ({ rule: rule.name, path: '', message })),
      ...found.filter((fault) => fault.path !== '').map((fault) => placed(fault, part)),
    ];
  });
}

/** `virtualHosts[0].rules[3].route.x` is `route.x` of that rule. */
function placed({ path, message }: Violation, { virtualHosts, l4 }: Routing): CompiledFault {
  const [whole = '', host, rule, bytes] = /^(?:virtualHosts\[(\d+)\]\.rules\[(\d+)\]|l4\[(\d+)\])\.?/.exec(path) ?? [];
  const of = bytes === undefined ? virtualHosts[Number(host)]?.rules[Number(rule)] : l4[Number(bytes)];
  return of === undefined ? { path, message } : { rule: of.name, path: path.slice(whole.length), message };
}

function forEnvoy(routing: Routing): readonly Violation[] {
  if (routing.virtualHosts.length === 0) return [];
  const virtualHosts = routing.virtualHosts.map((host) => ({ ...host, rules: host.rules.map(forAnybody) }));
  return encoded(() => {
    RouteConfiguration.encode(routeConfiguration(anyName, routingHosts({ virtualHosts, l4: [] }))).finish();
    return [];
  });
}

/** Rules for some callers are left out for the others. */
function forAnybody(rule: HttpRule<ClusterRef>): HttpRule<ClusterRef> {
  const matches = rule.matches.map(({ sourceNamespace: _, ...match }) => ({ ...match, sourceLabels: {} }));
  return { ...rule, matches };
}

function trafficFaults(traffic: ClusterTraffic): readonly CompiledFault[] {
  const place = { host: anyName, namespace: 'any', service: 'any', port: 80, protocol: 'http' as const };
  const connectTimeoutMs = traffic.connections?.connectTimeoutMs ?? 0;
  const found = said('cluster', { ...place, connectTimeoutMs, traffic });
  if (found.some((fault) => fault.path === '')) return found;
  const spec = {
    name: anyName,
    protocol: place.protocol,
    connectTimeoutMs,
    groups: [],
    host: anyName,
    byLocality: false,
    viaGateways: false,
  };
  const envoys = encoded(() => {
    Cluster.encode(edsCluster({ ...spec, traffic })).finish();
    return [];
  });
  return [...found, ...envoys];
}
