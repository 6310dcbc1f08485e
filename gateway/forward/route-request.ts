import type { ClusterRef, Fault, HeaderChanges, RouteAction, WeightedDestination } from '../../core/traffic/index.ts';
import {
  type CompiledRouting,
  type CorsVerdict,
  changeHeaders,
  locationOf,
  pickWeighted,
  placeOf,
  RequestView,
  type RuleMatch,
} from '../routing/index.ts';
import type { RequestHash } from './hash-key.ts';
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
  /** By which its destination was told; absent: by chance. */
  readonly session?: RequestHash;
}

/** What decides between several destinations. */
export interface RouteChoice {
  /** Uniform in [0, 1). */
  random(): number;
  /** What the balancing of that xDS cluster knows a request by. */
  session(clusterName: string, request: RequestHead): RequestHash;
}

/** `upgrade`: it asks for a WebSocket. Pure but for the session that may begin. */
export function routeRequest(routing: CompiledRouting, request: RequestHead, choice: RouteChoice, upgrade = false): Routed {
  const view = new RequestView(upgrade ? { ...request, upgrade } : request);
  const match = routing.rule(view);
  if (match === undefined) return { name: '', cors: undefined, fault: undefined, then: { reply: noRouteReply }, responseChanges: [] };
  const { rule, cors } = match;
  const [then, ofDestination] = act(match, request, choice);
  const responseChanges = [rule.responseHeaders, ofDestination].filter((each) => each !== undefined);
  return { name: rule.name, cors: cors?.(view), fault: rule.fault, then, responseChanges };
}

type Acted = readonly [then: Routed['then'], responseChanges: HeaderChanges | undefined];

function act(match: RuleMatch, request: RequestHead, choice: RouteChoice): Acted {
  const { action } = match.rule;
  switch (action.type) {
    case 'redirect': {
      const location = locationOf(action, request, match.path, match.pathChange);
      return [{ reply: directReply(action.status, new Uint8Array(0), ['location', location]) }, undefined];
    }
    case 'direct':
      return [{ reply: directReply(action.status, action.body ?? new Uint8Array(0), []) }, undefined];
    case 'route':
      return route(match, action, request, choice);
  }
}

function directReply(status: number, body: Uint8Array, headers: readonly string[]): LocalReply {
  return { status, body, headers, flags: [], detail: 'direct_response' };
}

function route(match: RuleMatch, action: RouteAction<ClusterRef>, request: RequestHead, choice: RouteChoice): Acted {
  const { rewrite } = action;
  const { chosen, session } = choose(action, request, choice);
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
    ...(session === undefined ? {} : { session }),
  };
  return [to, chosen.responseHeaders];
}

interface Chosen {
  readonly chosen: WeightedDestination<ClusterRef> | undefined;
  readonly session?: RequestHash;
}

function choose({ destinations, byHash }: RouteAction<ClusterRef>, request: RequestHead, choice: RouteChoice): Chosen {
  if (destinations.length === 1) return { chosen: destinations[0] };
  for (const { destination } of byHash === true ? destinations : []) {
    const known = choice.session(destination.cluster, request);
    if (known.hash !== undefined) return { chosen: pickWeighted(destinations, placeOf(known.hash)), session: known };
  }
  return { chosen: pickWeighted(destinations, choice.random()) };
}

/** The application's or our own answer, as its rule wants it. Pure. */
export function routedResponse({ responseChanges, cors }: Routed, headers: readonly string[]): readonly string[] {
  let changed = headers;
  for (const changes of responseChanges) changed = changeHeaders(changed, changes).headers;
  return cors?.kind === 'actual' ? changeHeaders(changed, { set: cors.set, add: [], remove: [] }).headers : changed;
}
