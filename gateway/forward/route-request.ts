import type { ClusterRef, Fault, HeaderChanges, RouteAction } from '../../core/traffic/index.ts';
import {
  type CompiledRouting,
  type CorsVerdict,
  changeHeaders,
  locationOf,
  pickWeighted,
  RequestView,
  type RuleMatch,
} from '../routing/index.ts';
import { type LocalReply, missingReply, noRouteReply } from './local-reply.ts';
import type { RequestHead } from './message.ts';

/** What a request's rule makes of it. */
export interface Routed {
  /** Of the rule; empty: none. */
  readonly name: string;
  readonly cors: CorsVerdict | undefined;
  readonly fault: Fault | undefined;
  readonly then: RoutedTo | { readonly reply: LocalReply };
  /** In this order. */
  readonly responseChanges: readonly HeaderChanges[];
}

export interface RoutedTo {
  readonly clusterName: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: readonly string[];
  readonly action: RouteAction<ClusterRef>;
}

/** `random`: uniform in [0, 1), for weights. `upgrade`: it asks for a WebSocket. Pure. */
export function routeRequest(routing: CompiledRouting, request: RequestHead, random: () => number, upgrade = false): Routed {
  const view = new RequestView(upgrade ? { ...request, upgrade } : request);
  const match = routing.rule(view);
  if (match === undefined) return { name: '', cors: undefined, fault: undefined, then: { reply: noRouteReply }, responseChanges: [] };
  const { rule, cors } = match;
  const [then, ofDestination] = act(match, request, random);
  const responseChanges = [rule.responseHeaders, ofDestination].filter((each) => each !== undefined);
  return { name: rule.name, cors: cors?.(view), fault: rule.fault, then, responseChanges };
}

type Acted = readonly [then: Routed['then'], responseChanges: HeaderChanges | undefined];

function act(match: RuleMatch, request: RequestHead, random: () => number): Acted {
  const { action } = match.rule;
  switch (action.type) {
    case 'redirect': {
      const location = locationOf(action, request, match.path, match.pathChange);
      return [{ reply: directReply(action.status, new Uint8Array(0), ['location', location]) }, undefined];
    }
    case 'direct':
      return [{ reply: directReply(action.status, action.body ?? new Uint8Array(0), []) }, undefined];
    case 'route':
      return route(match, action, request, random);
  }
}

function directReply(status: number, body: Uint8Array, headers: readonly string[]): LocalReply {
  return { status, body, headers, flags: [], detail: 'direct_response' };
}

function route(match: RuleMatch, action: RouteAction<ClusterRef>, request: RequestHead, random: () => number): Acted {
  const { destinations, rewrite } = action;
  const chosen = destinations.length === 1 ? destinations[0] : pickWeighted(destinations, random());
  if (chosen === undefined || chosen.destination.cluster === '') {
    return [{ reply: missingReply(chosen?.destination.missing ?? 503) }, chosen?.responseHeaders];
  }
  const byRule = changeHeaders(request.headers, match.rule.requestHeaders);
  const changed = changeHeaders(byRule.headers, chosen.requestHeaders);
  const to: RoutedTo = {
    clusterName: chosen.destination.cluster,
    path: match.pathChange === undefined ? request.path : match.pathChange(request.path, match.path),
    authority: rewrite?.authority ?? changed.authority ?? byRule.authority ?? request.authority,
    headers: changed.headers,
    action,
  };
  return [to, chosen.responseHeaders];
}

/** The application's or our own answer, as its rule wants it. Pure. */
export function routedResponse({ responseChanges, cors }: Routed, headers: readonly string[]): readonly string[] {
  let changed = headers;
  for (const changes of responseChanges) changed = changeHeaders(changed, changes).headers;
  return cors?.kind === 'actual' ? changeHeaders(changed, { set: cors.set, add: [], remove: [] }).headers : changed;
}
