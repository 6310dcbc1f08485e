import { type AuthzAttribute, looksAt } from '../../authz/index.ts';
import type { ClusterTraffic } from '../../traffic/index.ts';
import { AccessLogFilter } from '../gen/envoy/config/accesslog/v3/accesslog.ts';
import type { Filter } from '../gen/envoy/config/listener/v3/listener_components.ts';
import type { RouteConfiguration } from '../gen/envoy/config/route/v3/route.ts';
import { Router } from '../gen/envoy/extensions/filters/http/router/v3/router.ts';
import {
  HttpConnectionManager_ForwardClientCertDetails as CertDetails,
  HttpConnectionManager,
  HttpConnectionManager_CodecType,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManager_ServerHeaderTransformation,
  LocalReplyConfig,
} from '../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { TcpProxy } from '../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts';
import type { Any } from '../gen/google/protobuf/any.ts';
import { connectionLog, type ListenerLog, requestLog } from './access-log.ts';
import { duration, packed } from './any.ts';
import { type Authorization, auditMark, httpRbac, networkRbac } from './authorization.ts';
import { type CountedFor, connectionFlows, keepPeer, requestFlows } from './flow-log.ts';
import { proxyLimits } from './limits.ts';
import { internalHopName } from './names.ts';
import { afterHandshake, peerGate, plaintextGate } from './peer-gate.ts';
import { keepPeerSerial } from './peer-serial.ts';
import { routeFilters } from './route-filters.ts';
import { localOriginHeader } from './route-retries.ts';
import { adsSource } from './tls.ts';
import { tokenFilter } from './token-filter.ts';

export interface HttpFilterOptions {
  readonly listener: ListenerLog;
  readonly statPrefix: string;
  /** A configuration, or the name of one that comes over ADS. */
  readonly routes: RouteConfiguration | string;
  /** Rules may ask for CORS and faults. Default: where `routes` is a name. */
  readonly ruled?: boolean;
  /** Set at the mTLS end: who may call. The application learns from x-forwarded-client-cert who did. */
  readonly authorization?: Authorization;
  /** At the mTLS end: it does not learn that. Default false. */
  readonly nameless?: boolean | undefined;
}

export function filter(name: string, typedConfig: Any): Filter {
  return { name, configType: { $case: 'typedConfig', value: typedConfig } };
}

export function httpFilters(options: HttpFilterOptions): Filter[] {
  const config = HttpConnectionManager.create({
    ...requestHandling,
    statPrefix: options.statPrefix,
    routeSpecifier:
      typeof options.routes === 'string'
        ? { $case: 'rds', value: { routeConfigName: options.routes, configSource: adsSource } }
        : { $case: 'routeConfig', value: options.routes },
    httpFilters: [
      ...decisions(options.authorization).map(httpFilter),
      ...((options.ruled ?? typeof options.routes === 'string') ? routeFilters.map(httpFilter) : []),
      router,
    ],
    accessLog: [
      ...requestLog(
        options.listener,
        options.authorization === undefined ? 'source' : 'destination',
        markOf(options.authorization, 'http'),
      ),
      requestFlows(options.authorization === undefined ? 'caller' : 'mtls-end'),
    ],
    ...(options.authorization === undefined || options.authorization.plaintext === true ? callersEnd : mtlsEnd),
    ...(options.nameless === true ? callersEnd : {}),
    ...pathHandling(options.authorization),
  });
  const name = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const manager = filter('envoy.filters.network.http_connection_manager', packed(name, HttpConnectionManager, config));
  return [...serialOf(options.authorization), manager];
}

/** In this order: who the request is from, and then whether it may. */
function decisions(authorization: Authorization | undefined): readonly { name: string; config: Any }[] {
  if (authorization === undefined) return [];
  const { tokens = [] } = authorization;
  return [...(tokens.length === 0 ? [] : [tokenFilter(tokens)]), httpRbac(authorization)];
}

const pathAlone: ReadonlySet<AuthzAttribute> = new Set<AuthzAttribute>(['path']);

/** Where rules look at paths, they and the application see the same one: see normalizePath of core/authz. */
function pathHandling(authorization: Authorization | undefined): Partial<HttpConnectionManager> {
  if (authorization === undefined || !looksAt(authorization.rules, pathAlone)) return {};
  const pathWithEscapedSlashesAction = HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_FORWARD;
  return { normalizePath: true, mergeSlashes: true, pathWithEscapedSlashesAction };
}

function markOf(authorization: Authorization | undefined, transport: 'http' | 'tcp'): Readonly<Record<string, string>> {
  const mark = authorization === undefined ? undefined : auditMark(authorization, transport);
  return mark === undefined ? {} : { authz_audit: mark };
}

function serialOf(authorization: Authorization | undefined): readonly Filter[] {
  return authorization === undefined || authorization.deniedSerials.length === 0 ? [] : [keepPeerSerial];
}

/** `app`: HOST:PORT of the one application that `cluster` stands for; absent where it has endpoints that come and go. */
export function tcpEndFilters(options: {
  readonly listener: ListenerLog;
  readonly statPrefix: string;
  readonly cluster: string;
  readonly authorization: Authorization;
  readonly app?: string;
}): Filter[] {
  const { listener, statPrefix, cluster, authorization, app } = options;
  const rbac = networkRbac(authorization, `${statPrefix}.`);
  const gate = peerGate(authorization, app === undefined ? { clusterOfHop: cluster } : { app });
  const direct = app !== undefined;
  const config = tcpProxyConfig({
    listener,
    statPrefix,
    cluster: direct ? cluster : internalHopName,
    counted: direct ? 'mtls-end' : undefined,
    marks: markOf(authorization, 'tcp'),
  });
  const before = [...serialOf(authorization), filter(rbac.name, rbac.config), gate, ...(direct ? [] : [keepPeer])];
  return [...before, filter(tcpProxyName, afterHandshake(config))];
}

/** Never the name of an xDS cluster: what leads there is closed. */
const denied = 'rbac-access-denied';

/** Of callers in the clear: where there is no handshake to wait for, rules are asked before anything is dialled. */
export function tcpPlainFilters(options: Parameters<typeof tcpEndFilters>[0] & { readonly app: string }): Filter[] {
  const { listener, statPrefix, cluster, authorization, app } = options;
  const rbac = networkRbac(authorization, `${statPrefix}.`);
  const marks = markOf(authorization, 'tcp');
  const proxy = tcpProxy({ listener, statPrefix, cluster: denied, counted: 'mtls-end', marks });
  return [filter(rbac.name, rbac.config), plaintextGate(authorization, cluster, app), proxy];
}

const tcpProxyName = 'envoy.filters.network.tcp_proxy';

export interface TcpProxyOptions {
  readonly listener: ListenerLog;
  readonly statPrefix: string;
  readonly cluster: string | readonly WeightedCluster[];
  /** Of the xDS cluster, or of the first of several. */
  readonly traffic?: ClusterTraffic | undefined;
  /** Undefined: another one counts these connections. */
  readonly counted: CountedFor | undefined;
  /** Beside the fields of every connection's entry. */
  readonly marks?: Readonly<Record<string, string>>;
  /** Whoever comes is refused: the xDS cluster that was called. */
  readonly refused?: string;
}

export function tcpProxy(options: TcpProxyOptions): Filter {
  return filter(tcpProxyName, packed('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', TcpProxy, tcpProxyConfig(options)));
}

/** Several have a weight over 0 among them. */
export interface WeightedCluster {
  readonly name: string;
  readonly weight: number;
}

function tcpProxyConfig({ listener, statPrefix, cluster, traffic = {}, counted, marks = {}, refused }: TcpProxyOptions): TcpProxy {
  const { connections = {}, loadBalancer } = traffic;
  const { idleTimeoutMs = proxyLimits.tcpIdleMs, maxConnectionDurationMs } = connections;
  const bySource = loadBalancer?.type === 'hash' && loadBalancer.on.type === 'source-address';
  return TcpProxy.create({
    statPrefix,
    clusterSpecifier:
      typeof cluster === 'string'
        ? { $case: 'cluster', value: cluster }
        : { $case: 'weightedClusters', value: { clusters: cluster.map((each) => ({ ...each, metadataMatch: undefined })) } },
    idleTimeout: duration(idleTimeoutMs),
    ...(maxConnectionDurationMs === undefined ? {} : { maxDownstreamConnectionDuration: duration(maxConnectionDurationMs) }),
    hashPolicy: bySource ? [{ policySpecifier: { $case: 'sourceIp', value: {} } }] : [],
    maxConnectAttempts: proxyLimits.maxAttempts,
    // A stream may last for days: it is counted when it begins, and what it carried when it ends.
    ...(counted === undefined ? {} : { accessLogOptions: { flushAccessLogOnConnected: true, accessLogFlushInterval: undefined } }),
    accessLog: [
      ...connectionLog(listener, counted === 'caller' ? 'source' : 'destination', marks),
      ...(counted === undefined ? [] : [connectionFlows(counted, refused)]),
    ],
  });
}

function httpFilter({ name, config }: { name: string; config: Any }) {
  return { name, configType: { $case: 'typedConfig' as const, value: config } };
}

const router = httpFilter({
  name: 'envoy.filters.http.router',
  config: packed('envoy.extensions.filters.http.router.v3.Router', Router, Router.create({ suppressEnvoyHeaders: true })),
});

/** Requests pass as they came: what our own proxies leave alone, Envoy does too. */
const requestHandling = {
  codecType: HttpConnectionManager_CodecType.AUTO,
  serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
  useRemoteAddress: true,
  generateRequestId: true,
  preserveExternalRequestId: true,
  proxy100Continue: true,
  maxRequestHeadersKb: proxyLimits.maxHeaderKb,
  streamIdleTimeout: duration(proxyLimits.streamIdleMs),
  requestHeadersTimeout: duration(proxyLimits.headersTimeoutMs),
  commonHttpProtocolOptions: { idleTimeout: duration(proxyLimits.keepAliveMs), maxHeadersCount: proxyLimits.maxHeaders },
  httpProtocolOptions: { enableTrailers: true, acceptHttp10: true },
  upgradeConfigs: [{ upgradeType: 'websocket' }],
};

const callersEnd = { forwardClientCertDetails: CertDetails.SANITIZE };

/** Tells the mesh's caller that no application has seen the request, so that it may try another endpoint. */
const sayLocalOrigin = LocalReplyConfig.create({
  mappers: [
    {
      filter: AccessLogFilter.create({ filterSpecifier: { $case: 'responseFlagFilter', value: { flags: ['UF', 'UH', 'NC', 'UC'] } } }),
      headersToAdd: [{ header: { key: localOriginHeader, value: '%RESPONSE_FLAGS%' } }],
    },
  ],
});

const mtlsEnd = {
  forwardClientCertDetails: CertDetails.SANITIZE_SET,
  setCurrentClientCertDetails: { subject: true, uri: true, dns: true },
  localReplyConfig: sayLocalOrigin,
};
