import type { Protocol } from '../../model/index.ts';
import type { ClusterTraffic, ConnectionLimits, OutsideTls } from '../../traffic/index.ts';
import {
  Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  type Cluster_TransportSocketMatch,
  UpstreamConnectionOptions,
} from '../gen/envoy/config/cluster/v3/cluster.ts';
import { HttpProtocolOptions } from '../gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts';
import type { Any } from '../gen/google/protobuf/any.ts';
import { duration, packed } from './any.ts';
import { plaintextGroup, socketAddress, type TlsGroup } from './endpoints.ts';
import { healthCheck } from './health-checks.ts';
import { proxyLimits } from './limits.ts';
import { balancing } from './load-balancing.ts';
import { bundleSecretName, clusterBundleSecretName, federatedBundleSecretName } from './names.ts';
import { outsideTls } from './outside-tls.ts';
import { circuitBreakers, defaultOutliers, outlierDetection } from './overload.ts';
import { gatewayConnectTimeoutMs, gatewayOutliers, spread } from './through-gateways.ts';
import { adsSource, rawBuffer, upstreamTls } from './tls.ts';

export interface MeshCluster {
  readonly name: string;
  readonly protocol: Protocol;
  /** ms; 0: the default, 5,000. */
  readonly connectTimeoutMs: number;
  readonly groups: readonly TlsGroup[];
  /** Of the service: what health checks ask for. */
  readonly host: string;
  readonly traffic?: ClusterTraffic;
  /** Localities have weights of their own. */
  readonly byLocality: boolean;
  /** Gateways are among the endpoints. */
  readonly viaGateways: boolean;
}

/** No certificate has it: what no group describes is not connected to, neither in the clear nor to whoever answers. */
const nobody = 'urn:isthmus:no-endpoint';

/** A service port as callers see it: endpoints over ADS, and for each of them the proof that it owes. */
export function edsCluster(spec: MeshCluster): Cluster {
  const { groups, byLocality, viaGateways } = spec;
  const traffic = viaGateways ? { ...spec.traffic, connections: spread(spec.traffic?.connections) } : (spec.traffic ?? {});
  const { healthCheck: check } = traffic;
  const protocol = upstreamProtocol(spec.protocol, traffic);
  const alpn = alpnOf(protocol);
  const matches = groups.map((group) => ({
    name: group.id,
    match: { tls: group.id },
    transportSocket: upstreamTls({ sni: group.sni, uriSans: group.uriSans, trust: anchorsOf(group), alpn }),
  }));
  return Cluster.create({
    ...balanced({ ...spec, traffic }, protocol, viaGateways),
    ...(byLocality ? { commonLbConfig: { ...commonLb(traffic), localityConfigSpecifier: byShares } } : {}),
    edsClusterConfig: { edsConfig: adsSource },
    // Of what speaks HTTP/1.1 alone Envoy cannot ask over gRPC.
    healthChecks:
      check === undefined || (check.type === 'grpc' && protocol === 'http') ? [] : [healthCheck(check, spec.host, isHttp2(protocol))],
    ...(check?.type === 'grpc' && !isHttp(protocol) ? { typedExtensionProtocolOptions: { [httpOptionsName]: httpOptions('grpc') } } : {}),
    transportSocketMatches: [...matches, plaintext(traffic.tls, alpn)],
    transportSocket: upstreamTls({ sni: '', uriSans: [nobody], trust: bundleSecretName, alpn: [] }),
  });
}

/** Those of another trust domain prove themselves by its authorities; a secret that nobody has fails every handshake. */
function anchorsOf({ cluster, trustDomain }: TlsGroup): string {
  return trustDomain === undefined ? clusterBundleSecretName(cluster) : federatedBundleSecretName(trustDomain);
}

/** Where a gateway takes what came for its own network: bytes go on as they are. `assignment`: the name of its endpoints. */
export function localEdsCluster(
  spec: Pick<MeshCluster, 'name' | 'protocol' | 'connectTimeoutMs' | 'traffic'>,
  assignment: string,
): Cluster {
  return Cluster.create({ ...balanced(spec, spec.protocol, false), edsClusterConfig: { edsConfig: adsSource, serviceName: assignment } });
}

const byShares = { $case: 'localityWeightedLbConfig' as const, value: {} };

/** With endpoints that come and go. */
function balanced(
  { name, connectTimeoutMs, traffic = {} }: Pick<MeshCluster, 'name' | 'connectTimeoutMs' | 'traffic'>,
  protocol: Protocol,
  viaGateways: boolean,
) {
  const { outlier, loadBalancer, connections } = traffic;
  const timeoutMs = connections?.connectTimeoutMs ?? (connectTimeoutMs || (viaGateways ? gatewayConnectTimeoutMs : 0));
  return {
    ...common(name, protocol, timeoutMs, traffic),
    ...balancing(loadBalancer),
    clusterDiscoveryType: { $case: 'type' as const, value: Cluster_DiscoveryType.EDS },
    outlierDetection: outlier === undefined ? (viaGateways ? gatewayOutliers : defaultOutliers) : outlierDetection(outlier, !viaGateways),
    ...keepalive(connections),
    // What its registry does not name any more is gone, whatever a check says.
    ignoreHealthOnHostRemoval: true,
  };
}

/** The application beside this proxy, where the end of the handshake says so: see peer-gate.ts. */
function gatedAppCluster(name: string, protocol: Protocol): Cluster {
  return Cluster.create({
    ...common(name, protocol, 0),
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
  });
}

/** The application beside this proxy. */
export function appCluster(name: string, protocol: Protocol, address: string, port: number): Cluster {
  if (!isHttp(protocol)) return gatedAppCluster(name, protocol);
  return Cluster.create({
    ...common(name, protocol, 0),
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.STATIC },
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { $case: 'endpoint', value: { address: socketAddress(address, port) } } }] }],
    },
  });
}

export function alpnOf(protocol: Protocol): readonly string[] {
  if (protocol === 'http') return ['http/1.1'];
  return isHttp2(protocol) ? ['h2'] : [];
}

function isHttp2(protocol: Protocol): boolean {
  return protocol === 'http2' || protocol === 'grpc';
}

export function isHttp(protocol: Protocol): boolean {
  return protocol === 'http' || isHttp2(protocol);
}

/** What has no identity in the mesh: in the clear, or over the TLS of its own. */
function plaintext(tls: OutsideTls | undefined, alpn: readonly string[]): Cluster_TransportSocketMatch {
  const transportSocket = tls === undefined ? rawBuffer : outsideTls(tls, alpn);
  return { name: plaintextGroup, match: { tls: plaintextGroup }, transportSocket };
}

function upstreamProtocol(protocol: Protocol, { connections }: ClusterTraffic): Protocol {
  return protocol === 'http' && connections?.h2Upgrade === true ? 'http2' : protocol;
}

function keepalive({ tcpKeepalive }: ConnectionLimits = {}): Pick<Cluster, 'upstreamConnectionOptions'> | undefined {
  if (tcpKeepalive === undefined) return undefined;
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : Math.max(1, Math.round(ms / 1_000)));
  const { probes, timeMs, intervalMs } = tcpKeepalive;
  const values = { keepaliveProbes: probes, keepaliveTime: seconds(timeMs), keepaliveInterval: seconds(intervalMs) };
  return { upstreamConnectionOptions: UpstreamConnectionOptions.create({ tcpKeepalive: values }) };
}

/**
 * Never without panic, or Envoy would answer 503 as soon as nothing is sound: only then are the suspects used, unless somebody says sooner.
 * No change waits to be merged with the next.
 */
function commonLb({ outlier }: ClusterTraffic) {
  return { healthyPanicThreshold: { value: Math.max(1, outlier?.minHealthPercent ?? 0) }, updateMergeWindow: duration(0) };
}

function common(name: string, protocol: Protocol, connectTimeoutMs: number, traffic: ClusterTraffic = {}) {
  return {
    name,
    lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
    connectTimeout: duration(connectTimeoutMs || proxyLimits.connectTimeoutMs),
    circuitBreakers: circuitBreakers(traffic),
    commonLbConfig: commonLb(traffic),
    ...(isHttp(protocol) ? { typedExtensionProtocolOptions: { [httpOptionsName]: httpOptions(protocol, traffic.connections) } } : {}),
  };
}

const httpOptionsName = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

function httpOptions(protocol: Protocol, connections: ConnectionLimits = {}): Any {
  const { idleTimeoutMs = proxyLimits.upstreamIdleMs, maxRequestsPerConnection, maxConnectionDurationMs } = connections;
  const options = HttpProtocolOptions.create({
    commonHttpProtocolOptions: {
      idleTimeout: duration(idleTimeoutMs),
      maxHeadersCount: proxyLimits.maxHeaders,
      maxRequestsPerConnection,
      ...(maxConnectionDurationMs === undefined ? {} : { maxConnectionDuration: duration(maxConnectionDurationMs) }),
    },
    upstreamProtocolOptions: {
      $case: 'explicitHttpConfig',
      value: {
        protocolConfig:
          protocol === 'http'
            ? { $case: 'httpProtocolOptions', value: { enableTrailers: true } }
            : { $case: 'http2ProtocolOptions', value: {} },
      },
    },
  });
  return packed(httpOptionsName, HttpProtocolOptions, options);
}
