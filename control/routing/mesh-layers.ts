import type { ServicePort } from '../../core/model/index.ts';
import type { ClusterRef, HttpRule, L4Rule } from '../../core/traffic/index.ts';
import type { MergedService } from '../catalog/index.ts';
import type { Finding } from './contract.ts';
import type { RuleContext } from './destinations.ts';
import { compileRouteRules } from './gateway-api-order.ts';
import type { Lookup } from './lookup.ts';
import { findingOf, objectName, type RouteObject, visibleTo } from './objects.ts';
import { compileL4Rules, virtualServiceRules } from './rules.ts';

/** What some callers of a service, or all, are given: who is in one layer sees none below it. */
export interface Layer {
  readonly objects: readonly RouteObject[];
  /** Namespaces of the callers; undefined: all, and layers below it are for nobody. */
  readonly callers: readonly string[] | undefined;
}

export interface Layers {
  readonly layers: readonly Layer[];
  readonly findings: readonly Finding[];
}

/**
 * Who says how a service is called, first things first: routes that consumers attached in their own namespaces (Gateway API), then
 * VirtualServices and the routes of the service's own namespace, of which the older counts. Istio merges no VirtualServices in the mesh:
 * the one with the most specific host counts, then the oldest.
 */
export function layersOf(service: MergedService, lookup: Lookup): Layers {
  const attached = lookup.attachedRoutes(service.key);
  const consumers = [...new Set(attached.map((route) => route.namespace))].filter((namespace) => namespace !== service.namespace);
  const layers: Layer[] = consumers.map((namespace) => ({
    objects: attached.filter((route) => route.namespace === namespace),
    callers: [namespace],
  }));
  const produced = attached.filter((route) => route.namespace === service.namespace);
  const offers: (Layer & { readonly rank: number; readonly since: number })[] = lookup
    .meshRoutes(service)
    .map(({ object, specificity }) => ({
      objects: [object],
      callers: visibleTo(object.spec.exportTo, object.namespace),
      rank: specificity,
      since: object.spec.createdAt,
    }));
  if (produced[0] !== undefined) {
    offers.push({ objects: produced, callers: undefined, rank: Number.MAX_SAFE_INTEGER, since: produced[0].spec.createdAt });
  }
  // Stable: equals stay oldest first, then by name. Who is meant in particular comes before who is among all.
  offers.sort((a, b) => Number(a.callers === undefined) - Number(b.callers === undefined) || b.rank - a.rank || a.since - b.since);
  const all = offers.findIndex((offer) => offer.callers === undefined);
  const used = all < 0 ? offers : offers.slice(0, all + 1);
  const winner = offers[all];
  const losers = all < 0 ? [] : offers.slice(all + 1).filter((offer) => offer.rank === winner?.rank);
  return {
    layers: [...layers, ...used.filter((offer) => offer.callers === undefined || offer.callers.length > 0)],
    findings: losers.flatMap((offer) => offer.objects.map((object) => conflict(object, winner?.objects[0], service))),
  };
}

function conflict(object: RouteObject, winner: RouteObject | undefined, service: MergedService): Finding {
  const first = winner === undefined ? 'another' : `${winner.kind} ${objectName(winner)}`;
  const path = object.kind === 'VirtualService' ? 'spec.hosts' : 'spec.parentRefs';
  return findingOf(object, {
    severity: 'error',
    code: 'conflict',
    path,
    message: `not used for ${service.key}: the older ${first} routes it already, and routes of the mesh are not merged`,
  });
}

export type PortFamily = 'http' | 'tls' | 'tcp';

export function familyOf(port: ServicePort): PortFamily {
  return port.protocol === 'tcp' || port.protocol === 'tls' ? port.protocol : 'http';
}

/** Undefined: nothing in the layer is about HTTP on this port, which is as if the layer was not there (Istio). */
export function httpRules(layer: Layer, context: Omit<RuleContext, 'object'>): readonly HttpRule<ClusterRef>[] | undefined {
  const routes = layer.objects.filter((object) => object.spec.http.length > 0 && attachedTo(object, context.listenerPort));
  const [first] = routes;
  if (first === undefined) return undefined;
  const rules = first.kind === 'VirtualService' ? virtualServiceRules(first, context) : compileRouteRules(routes, context);
  return rules.length === 0 ? undefined : rules;
}

/** Of TLS ports those by server name come before those of any bytes. */
export function l4Rules(
  layer: Layer,
  family: 'tls' | 'tcp',
  context: Omit<RuleContext, 'object'>,
): readonly L4Rule<ClusterRef>[] | undefined {
  const routes = layer.objects.filter((object) => object.spec.l4.length > 0 && attachedTo(object, context.listenerPort));
  const types = family === 'tls' ? (['tls', 'tcp'] as const) : (['tcp'] as const);
  const rules = types.flatMap((type) => routes.flatMap((object) => compileL4Rules(object, type, { ...context, object })));
  return rules.length === 0 ? undefined : rules;
}

/** A parent may be one port of a service. */
function attachedTo(object: RouteObject, port: number): boolean {
  const parents = object.spec.parents.filter((parent) => parent.type === 'service');
  return object.kind === 'VirtualService' || parents.some((parent) => parent.port === undefined || parent.port === port);
}
