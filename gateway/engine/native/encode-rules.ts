import type { Svid } from '../../../core/identity/index.ts';
import type { L4Rule, Routing } from '../../../core/traffic/index.ts';
import { isFrom, type ProxyNode } from '../../routing/index.ts';
import type { ClusterTable, EngineTables, ExposedRule, PlainRule, SniRule } from '../contract.ts';
import { isHttp } from '../is-http.ts';
import type { NativeExposedRule, NativeL4Rule, NativePlainRule, NativeRouting, NativeSniRule } from './messages.ts';

type ClusterRule = L4Rule<{ readonly cluster: string }>;

/** `nameOf`: under which an SVID is told. Pure but for that. */
export function encodeSniRule(rule: SniRule, { clusters }: EngineTables, nameOf: (svid: Svid) => string): NativeSniRule {
  if (rule.mode === 'tunnel') return { mode: 'node', anySubset: false };
  const cluster = clusters.get(rule.clusterName);
  const carried = cluster === undefined || isCarried(cluster);
  if (rule.mode === 'passthrough') {
    return carried ? { mode: 'passthrough', cluster: rule.clusterName } : { mode: 'node', anySubset: false };
  }
  const anySubset = rule.anySubset === true;
  const { protocol, end, nameless = false } = rule;
  const { rules, unknown = false } = rule.authz;
  const svid = rule.svid === undefined ? {} : { svid: nameOf(rule.svid) };
  const shared = { mode: 'terminate', cluster: rule.clusterName, anySubset, unknown, rules, end, ...svid } as const;
  // Where its requests go is TypeScript's to say.
  if (isHttp(protocol)) return { ...shared, handOver: false, deliver: { protocol, onlyHttp2: protocol !== 'http', nameless } };
  return { ...shared, handOver: !carried };
}

export function sameSni(a: NativeSniRule, b: NativeSniRule): boolean {
  if (a.mode === 'passthrough') return b.mode === 'passthrough' && a.cluster === b.cluster;
  if (a.mode === 'node') return b.mode === 'node' && a.anySubset === b.anySubset;
  if (b.mode !== 'terminate' || a.cluster !== b.cluster || a.anySubset !== b.anySubset) return false;
  if (a.handOver !== b.handOver || a.svid !== b.svid) return false;
  if (a.deliver?.protocol !== b.deliver?.protocol || a.deliver?.nameless !== b.deliver?.nameless) return false;
  return sameEnd(a, b);
}

/** Pure. */
export function encodeExposedRule({ end: rule, mode, port }: ExposedRule, { clusters }: Pick<EngineTables, 'clusters'>): NativeExposedRule {
  const { clusterName, protocol, end } = rule;
  const { rules, unknown = false } = rule.authz;
  const cluster = clusters.get(clusterName);
  const handOver = cluster !== undefined && !isCarried(cluster);
  return { mode, port, http: isHttp(protocol), cluster: clusterName, handOver, unknown, rules, end };
}

export function sameExposed(a: NativeExposedRule, b: NativeExposedRule): boolean {
  if (a.mode !== b.mode || a.port !== b.port || a.http !== b.http || a.cluster !== b.cluster || a.handOver !== b.handOver) return false;
  return sameEnd(a, b);
}

type NativeEnd = Pick<NativeExposedRule, 'unknown' | 'rules' | 'end'>;

function sameEnd(a: NativeEnd, b: NativeEnd): boolean {
  return a.unknown === b.unknown && a.rules === b.rules && a.end.namespace === b.end.namespace && a.end.service === b.end.service;
}

/** Pure. `caller`: who callers of plain listeners are. */
export function encodePlainRule(rule: PlainRule, tables: EngineTables, caller: ProxyNode): NativePlainRule {
  const { clusterName, protocol, routingName = '', allow } = rule;
  if (isHttp(protocol)) return { mode: 'node' };
  const routing = tables.routings.get(routingName);
  const leads = routing === undefined ? [clusterName] : routing.l4.flatMap((each) => each.destinations.map((to) => to.destination.cluster));
  const known = leads.flatMap((name) => tables.clusters.get(name) ?? []);
  if (!known.every(isCarried)) return { mode: 'node' };
  if (routing === undefined) return { mode: 'forward', cluster: clusterName, allow };
  return { mode: 'split', allow, routing: encodeRouting(routingName, routing, protocol === 'tls', tables, caller) };
}

export function samePlain(a: NativePlainRule, b: NativePlainRule): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** `secure`: its callers speak TLS. See choose-cluster.ts. */
export function encodeRouting(
  name: string,
  { l4 }: Routing,
  secure: boolean,
  { clusters }: Pick<EngineTables, 'clusters'>,
  caller: ProxyNode,
): NativeRouting {
  const readsHello = secure && l4.some(({ matches }) => matches.some(({ sniHosts }) => sniHosts.length > 0));
  return { name, readsHello, rules: l4.flatMap((rule) => encodeL4Rule(rule, clusters, caller)) };
}

/** Nothing where no match of the rule can hold for that caller. */
function encodeL4Rule(rule: ClusterRule, clusters: EngineTables['clusters'], caller: ProxyNode): NativeL4Rule[] {
  const possible = rule.matches.filter((match) => isFrom(match, caller));
  if (rule.matches.length > 0 && possible.length === 0) return [];
  const matches = possible.map(({ destinationSubnets, sniHosts }) => ({ subnets: destinationSubnets, sniHosts }));
  const bySource = rule.byHash === true && rule.destinations.some(({ destination }) => spreadsBySource(clusters.get(destination.cluster)));
  const destinations = rule.destinations.map(({ destination, weight }) => [destination.cluster, weight] as const);
  return [{ name: rule.name, matches, bySource, destinations }];
}

function spreadsBySource(cluster: ClusterTable | undefined): boolean {
  const balancer = cluster?.traffic?.loadBalancer;
  return balancer?.type === 'hash' && balancer.on.type === 'source-address';
}

const carried = new WeakMap<ClusterTable, boolean>();

/**
 * Whether the native engine can lead there: neither by TLS outside the mesh nor through tunnels. Of other clusters it is told nothing, and what
 * leads there is handed over.
 */
export function isCarried(cluster: ClusterTable): boolean {
  let known = carried.get(cluster);
  if (known === undefined) {
    known = cluster.traffic?.tls === undefined && !cluster.endpoints.some(({ tunnel }) => tunnel !== undefined);
    carried.set(cluster, known);
  }
  return known;
}
