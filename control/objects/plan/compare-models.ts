import { stringify } from 'yaml';
import type { ServicePlan } from '../../../core/admin/index.ts';
import { diffLines } from '../../../core/diff-lines.ts';
import type { ServiceKey } from '../../../core/model/index.ts';
import type { CallerTraffic, ClusterPolicy, CompiledGateway, ServiceTraffic, TrafficModel } from '../../routing/index.ts';
import { describeRouting } from './describe-routing.ts';

type Part = ServicePlan['routes'][number];

/** Pure: the rules of each service and gateway that differ, whoever the client is. */
export function compareModels(before: TrafficModel, after: TrafficModel): Map<string, ServicePlan> {
  const plans = new Map<string, ServicePlan>();
  for (const key of after.changed.services) {
    const [old, now] = [before.service(key), after.service(key)];
    plans.set(key, { ...emptyPlan(key), routes: routesOf(old, now), policies: policiesOf(old, now) });
  }
  for (const name of after.changed.gateways) {
    const routes = gatewayRoutes(before.gateways.get(name), after.gateways.get(name));
    if (routes.length > 0) plans.set(`gateway ${name}`, { ...emptyPlan(name), kind: 'gateway', routes });
  }
  return plans;
}

export function emptyPlan(name: ServiceKey | string): ServicePlan {
  return { name, kind: 'service', routes: [], policies: [], endpoints: [], callers: [] };
}

function routesOf(old: ServiceTraffic | undefined, now: ServiceTraffic | undefined): Part[] {
  const ports = [...new Set([...(old?.routing.keys() ?? []), ...(now?.routing.keys() ?? [])])].sort((a, b) => a - b);
  return differing(
    ports,
    (port) => [describeRouting(old?.routing.get(port)), describeRouting(now?.routing.get(port))],
    (port) => `port ${port}`,
  );
}

function policiesOf(old: ServiceTraffic | undefined, now: ServiceTraffic | undefined): Part[] {
  const [was, is] = [policyTexts(old), policyTexts(now)];
  const names = [...new Set([...was.keys(), ...is.keys()])].sort();
  return differing(
    names,
    (name) => [was.get(name) ?? [], is.get(name) ?? []],
    (name) => name,
  );
}

/** `port 80`, `subset v1, port 80` → what is said, for most callers; before those of a namespace that is told otherwise `callers of web, `. */
function policyTexts(traffic: ServiceTraffic | undefined): Map<string, string[]> {
  if (traffic === undefined) return new Map();
  const callers = [...traffic.callers].flatMap(([namespace, said]) => [...callerTexts(said, `callers of ${namespace}, `)]);
  return new Map([...callerTexts(traffic, ''), ...callers]);
}

function callerTexts(traffic: CallerTraffic, who: string): Map<string, string[]> {
  const texts = new Map<string, string[]>();
  const add = (prefix: string, policies: ReadonlyMap<number, ClusterPolicy>) => {
    for (const [port, policy] of policies) texts.set(`${who}${prefix}port ${port}`, yamlLines(policy));
  };
  if (traffic.rules.length > 0) texts.set(`${who}DestinationRule`, [...traffic.rules]);
  add('', traffic.policies);
  for (const { name, labels, source, policies } of traffic.subsets) {
    texts.set(`${who}subset ${name}`, [
      source === undefined ? `labels ${JSON.stringify(labels)}` : `endpoints of ${source.of.cluster}/${source.of.registry}`,
    ]);
    add(`subset ${name}, `, policies);
  }
  return texts;
}

function gatewayRoutes(old: CompiledGateway | undefined, now: CompiledGateway | undefined): Part[] {
  const listeners = (g: CompiledGateway | undefined) => new Map((g?.listeners ?? []).map((l) => [`listener ${l.port}`, yamlLines(l)]));
  const routings = (g: CompiledGateway | undefined) => new Map([...(g?.routings ?? [])].map(([name, r]) => [name, describeRouting(r)]));
  const selectors = (g: CompiledGateway | undefined) => new Map(g === undefined ? [] : [['selector', [JSON.stringify(g.selector)]]]);
  return [selectors, listeners, routings].flatMap((read) => {
    const [was, is] = [read(old), read(now)];
    const names = [...new Set([...was.keys(), ...is.keys()])].sort();
    return differing(
      names,
      (name) => [was.get(name) ?? [], is.get(name) ?? []],
      (name) => name,
    );
  });
}

function differing<T>(all: readonly T[], texts: (each: T) => [string[], string[]], nameOf: (each: T) => string): Part[] {
  return all.flatMap((each) => {
    const lines = diffLines(...texts(each));
    return lines.every((line) => line.startsWith('  ')) ? [] : [{ name: nameOf(each), lines }];
  });
}

function yamlLines(value: unknown): string[] {
  return stringify(value, { lineWidth: 0 }).trimEnd().split('\n');
}
