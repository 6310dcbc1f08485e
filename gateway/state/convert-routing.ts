import type {
  ClusterRef,
  CorsPolicy,
  Fault,
  HeaderChanges,
  HttpAction,
  HttpMatch,
  HttpRule,
  IngressServer,
  L4Match,
  L4Rule,
  NamedMatch,
  PathMatch,
  RedirectAction,
  RetryCondition,
  RetryPolicy,
  Rewrite,
  Routing,
  StringMatch,
  WeightedDestination,
} from '../../core/traffic/index.ts';
import { nativeRouting } from '../../core/xds/index.ts';
import { checked, said } from './said.ts';
import type { IngressListenerState } from './types.ts';

/** From routing.proto's messages, already checked, to core/traffic's words. Pure. */
export function routingOf({ virtualHosts, l4 }: nativeRouting.Routing): Routing {
  return {
    virtualHosts: virtualHosts.map(({ name, domains, rules }) => ({ name, domains, rules: rules.map(ruleOf) })),
    l4: l4.map(l4RuleOf),
  };
}

function ruleOf({ name, matches, action, requestHeaders, responseHeaders, cors, fault }: nativeRouting.HttpRule): HttpRule<ClusterRef> {
  return {
    name,
    matches: matches.map(matchOf),
    action: actionOf(checked(action)),
    ...said({
      requestHeaders: requestHeaders && changesOf(requestHeaders),
      responseHeaders: responseHeaders && changesOf(responseHeaders),
      cors: cors && corsOf(cors),
      fault: fault && faultOf(fault),
    }),
  };
}

function matchOf({ path, method, scheme, authority, headers, query, sourceLabels, ...rest }: nativeRouting.HttpMatch): HttpMatch {
  return {
    ...said(rest),
    ...said({
      path: path && pathOf(path),
      method: method && stringMatchOf(method),
      scheme: scheme && stringMatchOf(scheme),
      authority: authority && stringMatchOf(authority),
    }),
    headers: headers.map(namedOf),
    query: query.map(namedOf),
    sourceLabels: labelsOf(sourceLabels),
  };
}

function pathOf(message: nativeRouting.PathMatch): PathMatch {
  const { $case: type, value } = checked(message.kind);
  return { type, value };
}

function stringMatchOf(message: nativeRouting.StringMatch): StringMatch {
  const { $case: type, value } = checked(message.kind);
  return { type, value };
}

function namedOf({ name, value, not }: nativeRouting.NamedMatch): NamedMatch {
  return { name, ...said({ value: value && stringMatchOf(value), not }) };
}

function labelsOf(labels: readonly nativeRouting.Label[]): Readonly<Record<string, string>> {
  return Object.fromEntries(labels.map(({ name, value }) => [name, value]));
}

function actionOf(action: NonNullable<nativeRouting.HttpRule['action']>): HttpAction<ClusterRef> {
  switch (action.$case) {
    case 'redirect': {
      const { path, status, ...rest } = action.value;
      const to = path && { type: path.$case, value: path.value };
      return { type: 'redirect', ...said({ ...rest, path: to }), status: status as RedirectAction['status'] };
    }
    case 'direct': {
      const { status, body } = action.value;
      return { type: 'direct', status, ...said({ body: body && new Uint8Array(body) }) };
    }
    case 'route': {
      const { destinations, rewrite, timeoutMs, retries, mirrors, byHash } = action.value;
      return {
        type: 'route',
        destinations: destinations.map(destinationOf),
        ...said({ rewrite: rewrite && rewriteOf(rewrite), timeoutMs, retries: retries && retriesOf(retries) }),
        mirrors: mirrors.map(({ destination, percent }) => ({ destination: refOf(destination), percent })),
        ...hashed(byHash),
      };
    }
  }
}

function hashed(byHash: boolean): { readonly byHash?: true } {
  return byHash ? { byHash } : {};
}

function destinationOf(message: nativeRouting.WeightedDestination): WeightedDestination<ClusterRef> {
  const { destination, weight, requestHeaders, responseHeaders } = message;
  const headers = said({
    requestHeaders: requestHeaders && changesOf(requestHeaders),
    responseHeaders: responseHeaders && changesOf(responseHeaders),
  });
  return { destination: refOf(destination), weight, ...headers };
}

function refOf(message: nativeRouting.ClusterRef | undefined): ClusterRef {
  const { cluster, missing } = checked(message);
  return { cluster, ...said({ missing: missing as 500 | 503 | undefined }) };
}

function rewriteOf({ authority, path }: nativeRouting.Rewrite): Rewrite {
  const to = path && (path.$case === 'regex' ? { type: 'regex' as const, ...path.value } : { type: path.$case, value: path.value });
  return said({ authority, path: to });
}

function changesOf({ set, add, remove }: nativeRouting.HeaderChanges): HeaderChanges {
  const pair = ({ name, value }: nativeRouting.Header) => [name, value] as const;
  return { set: set.map(pair), add: add.map(pair), remove };
}

/** Every word of RetryCondition. */
const conditions: Readonly<Record<RetryCondition, true>> = {
  '5xx': true,
  'gateway-error': true,
  reset: true,
  'reset-before-request': true,
  'connect-failure': true,
  'refused-stream': true,
  'retriable-4xx': true,
  'retriable-status-codes': true,
  cancelled: true,
  'deadline-exceeded': true,
  internal: true,
  'resource-exhausted': true,
  unavailable: true,
};

function retriesOf(message: nativeRouting.RetryPolicy): RetryPolicy {
  const on = message.on.filter((word): word is RetryCondition => Object.hasOwn(conditions, word));
  return { ...said(message), on };
}

function corsOf(message: nativeRouting.CorsPolicy): CorsPolicy {
  return { ...said(message), allowOrigins: message.allowOrigins.map(stringMatchOf) };
}

function faultOf({ delay, abort }: nativeRouting.Fault): Fault {
  return said({ delay, abort: abort && said(abort) });
}

function l4RuleOf({ name, matches, destinations, byHash }: nativeRouting.L4Rule): L4Rule<ClusterRef> {
  return { name, matches: matches.map(l4MatchOf), destinations: destinations.map(destinationOf), ...hashed(byHash) };
}

function l4MatchOf({ sourceLabels, ...rest }: nativeRouting.L4Match): L4Match {
  return { ...said(rest), sourceLabels: labelsOf(sourceLabels) };
}

export function ingressOf(name: string, { address, port, servers }: nativeRouting.IngressListener): IngressListenerState {
  return { kind: 'ingress', name, address, port, servers: servers.map(serverOf) };
}

const { IngressServer_Protocol: protocols, IngressTls_Mode: modes, IngressTls_Version: versions } = nativeRouting;

function serverOf({ name, hosts, protocol, tls, httpsRedirect, routingName }: nativeRouting.IngressServer): IngressServer {
  const kind = protocol === protocols.TCP ? 'tcp' : protocol === protocols.HTTP ? 'http' : 'tls-passthrough';
  return { name, hosts, protocol: kind, ...said({ tls: tls && tlsOf(tls) }), httpsRedirect, routing: routingName };
}

function tlsOf({ mode, minVersion, ...rest }: nativeRouting.IngressTls): NonNullable<IngressServer['tls']> {
  const kind = mode === modes.SIMPLE ? 'simple' : mode === modes.MUTUAL ? 'mutual' : 'optional-mutual';
  return { mode: kind, ...said(rest), minVersion: minVersion === versions.TLS_1_2 ? '1.2' : '1.3' };
}
