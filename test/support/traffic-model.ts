import type { MergedService } from '../../control/catalog/index.ts';
import { createTrafficCompiler, type TrafficModel } from '../../control/routing/index.ts';
import type { TrafficObject } from '../../core/config/index.ts';
import { type Protocol, type ServiceKey, serviceKey } from '../../core/model/index.ts';
import type { ClusterRef, HttpRule, Routing } from '../../core/traffic/index.ts';
import { type EndpointSketch, serviceOf, viewOf } from './catalog-view.ts';

export const hostSuffix = 'mesh.internal';

/** `NAMESPACE/NAME` with these ports, named by their numbers. */
export function meshService(
  id: string,
  ports: Readonly<Record<number, Protocol>> = { 80: 'http' },
  endpoints: readonly EndpointSketch[] = [],
): MergedService {
  const [namespace = '', name = ''] = id.split('/');
  const list = Object.entries(ports).map(([port, protocol]) => ({ name: `p${port}`, port: Number(port), protocol }));
  return { ...serviceOf(name, endpoints, list), namespace, key: serviceKey(namespace, name) };
}

export function modelOf(objects: readonly TrafficObject[], services: readonly MergedService[]): TrafficModel {
  return createTrafficCompiler({ hostSuffix }).update(objects, viewOf(services));
}

export function routingOf(model: TrafficModel, id: string, port = 80): Routing | undefined {
  return model.service(id as ServiceKey)?.routing.get(port);
}

/** Rules in order, by name, with the xDS clusters they lead to or what they answer. */
export function leads(routing: Routing | undefined, virtualHost = 0): readonly (readonly [name: string, to: string])[] | undefined {
  return routing?.virtualHosts[virtualHost]?.rules.map((rule) => [rule.name, leadsTo(rule)] as const);
}

function leadsTo({ action }: HttpRule<ClusterRef>): string {
  if (action.type !== 'route') return action.status.toString();
  const one = action.destinations.length === 1;
  return action.destinations.map((d) => `${d.destination.cluster || d.destination.missing}${one ? '' : ` ${d.weight}`}`).join(' + ');
}

/** `CODE KIND NAMESPACE/NAME PATH`, sorted. */
export function codes(model: TrafficModel): readonly string[] {
  return model.findings.map((f) => `${f.code} ${f.object.kind} ${f.object.namespace}/${f.object.name} ${f.path}`);
}
