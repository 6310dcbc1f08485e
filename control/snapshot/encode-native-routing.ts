import type {
  ClusterRef,
  CorsPolicy,
  HeaderChanges,
  HttpAction,
  HttpMatch,
  HttpRule,
  IngressListener,
  IngressServer,
  L4Match,
  L4Rule,
  NamedMatch,
  RedirectAction,
  RetryPolicy,
  Rewrite,
  Routing,
  StringMatch,
  WeightedDestination,
} from '../../core/traffic/index.ts';
import type { nativeRouting as wire } from '../../core/xds/index.ts';
import { nativeRouting } from '../../core/xds/index.ts';

/** Traffic rules as routing.proto says them. Pure; gateway/state reads them back to the same content. */
export function routingMessage(name: string, { virtualHosts, l4 }: Routing): wire.Routing {
  const hosts = virtualHosts.map((host) => ({ name: host.name, domains: [...host.domains], rules: host.rules.map(httpRule) }));
  return { name, virtualHosts: hosts, l4: l4.map(l4Rule), requires: [] };
}

function httpRule(rule: HttpRule<ClusterRef>): wire.HttpRule {
  const { name, matches, action, requestHeaders, responseHeaders, cors, fault } = rule;
  return {
    name,
    matches: matches.map(httpMatch),
    action: actionMessage(action),
    requestHeaders: changes(requestHeaders),
    responseHeaders: changes(responseHeaders),
    cors: corsMessage(cors),
    fault: fault === undefined ? undefined : { delay: fault.delay, abort: fault.abort },
  };
}

function httpMatch(match: HttpMatch): wire.HttpMatch {
  const { path, method, scheme, authority, headers, query, sourceLabels } = match;
  return {
    name: match.name,
    path: path === undefined ? undefined : { kind: { $case: path.type, value: path.value } },
    ignoreCase: match.ignoreCase,
    method: stringMatch(method),
    scheme: stringMatch(scheme),
    authority: stringMatch(authority),
    headers: headers.map(namedMatch),
    query: query.map(namedMatch),
    sourceLabels: labels(sourceLabels),
    sourceNamespace: match.sourceNamespace,
  };
}

function stringMatch(match: StringMatch | undefined): wire.StringMatch | undefined {
  return match === undefined ? undefined : { kind: { $case: match.type, value: match.value } };
}

function namedMatch({ name, value, not }: NamedMatch): wire.NamedMatch {
  return { name, value: stringMatch(value), not };
}

function labels(of: Readonly<Record<string, string>>): wire.Label[] {
  return Object.entries(of).map(([name, value]) => ({ name, value }));
}

function actionMessage(action: HttpAction<ClusterRef>): wire.HttpRule['action'] {
  switch (action.type) {
    case 'redirect':
      return { $case: 'redirect', value: redirect(action) };
    case 'direct':
      return { $case: 'direct', value: { status: action.status, body: action.body === undefined ? undefined : Buffer.from(action.body) } };
    case 'route': {
      const { destinations, rewrite, timeoutMs, retries, mirrors, byHash } = action;
      const value = {
        destinations: destinations.map(weighted),
        rewrite: rewriteMessage(rewrite),
        timeoutMs,
        retries: retryMessage(retries),
        mirrors: mirrors.map(({ destination, percent }) => ({ destination: { ...destination }, percent })),
        byHash: byHash === true,
      };
      return { $case: 'route', value };
    }
  }
}

function redirect({ scheme, authority, port, path, status }: RedirectAction): wire.RedirectAction {
  return { scheme, authority, port, path: path === undefined ? undefined : { $case: path.type, value: path.value }, status };
}

function rewriteMessage(rewrite: Rewrite | undefined): wire.Rewrite | undefined {
  if (rewrite === undefined) return undefined;
  const { authority, path } = rewrite;
  if (path === undefined) return { authority, path };
  if (path.type !== 'regex') return { authority, path: { $case: path.type, value: path.value } };
  return { authority, path: { $case: 'regex', value: { pattern: path.pattern, substitution: path.substitution } } };
}

function weighted({ destination, weight, requestHeaders, responseHeaders }: WeightedDestination<ClusterRef>): wire.WeightedDestination {
  return {
    destination: { ...destination },
    weight,
    requestHeaders: changes(requestHeaders),
    responseHeaders: changes(responseHeaders),
  };
}

function changes(of: HeaderChanges | undefined): wire.HeaderChanges | undefined {
  if (of === undefined) return undefined;
  const header = ([name, value]: readonly [string, string]) => ({ name, value });
  return { set: of.set.map(header), add: of.add.map(header), remove: [...of.remove] };
}

function retryMessage(retries: RetryPolicy | undefined): wire.RetryPolicy | undefined {
  return retries === undefined ? undefined : { ...retries, on: [...retries.on], statusCodes: [...retries.statusCodes] };
}

function corsMessage(cors: CorsPolicy | undefined): wire.CorsPolicy | undefined {
  if (cors === undefined) return undefined;
  return {
    ...cors,
    allowOrigins: cors.allowOrigins.map(({ type, value }) => ({ kind: { $case: type, value } })),
    allowMethods: [...cors.allowMethods],
    allowHeaders: [...cors.allowHeaders],
    exposeHeaders: [...cors.exposeHeaders],
  };
}

function l4Rule({ name, matches, destinations, byHash }: L4Rule<ClusterRef>): wire.L4Rule {
  return { name, matches: matches.map(l4Match), destinations: destinations.map(weighted), byHash: byHash === true };
}

function l4Match({ destinationSubnets, sniHosts, sourceLabels, sourceNamespace }: L4Match): wire.L4Match {
  return { destinationSubnets: [...destinationSubnets], sniHosts: [...sniHosts], sourceLabels: labels(sourceLabels), sourceNamespace };
}

const { IngressServer_Protocol: protocols, IngressTls_Mode: modes, IngressTls_Version: versions } = nativeRouting;
const protocolOf = { http: protocols.HTTP, tcp: protocols.TCP, 'tls-passthrough': protocols.TLS_PASSTHROUGH };
const modeOf = { simple: modes.SIMPLE, mutual: modes.MUTUAL, 'optional-mutual': modes.OPTIONAL_MUTUAL };
const versionOf = { '1.2': versions.TLS_1_2, '1.3': versions.TLS_1_3 };

export function ingressMessage({ address, port, servers }: IngressListener): wire.IngressListener {
  return { address, port, servers: servers.map(ingressServer) };
}

function ingressServer(server: IngressServer): wire.IngressServer {
  const { name, hosts, protocol, tls, httpsRedirect, routing } = server;
  const secured =
    tls === undefined ? undefined : { ...tls, mode: modeOf[tls.mode], minVersion: versionOf[tls.minVersion], alpn: [...tls.alpn] };
  return { name, hosts: [...hosts], protocol: protocolOf[protocol], tls: secured, httpsRedirect, routingName: routing };
}
