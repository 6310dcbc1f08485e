import type { Protocol } from '../../model/index.ts';
import { CircuitBreakers } from '../gen/envoy/config/cluster/v3/circuit_breaker.ts';
import {
  Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  type Cluster_TransportSocketMatch,
} from '../gen/envoy/config/cluster/v3/cluster.ts';
import { OutlierDetection } from '../gen/envoy/config/cluster/v3/outlier_detection.ts';
import { HttpProtocolOptions } from '../gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts';
import type { Any } from '../gen/google/protobuf/any.ts';
import { duration, packed } from './any.ts';
import { plaintextGroup, socketAddress, type TlsGroup } from './endpoints.ts';
import { proxyLimits } from './limits.ts';
import { bundleSecretName, clusterBundleSecretName } from './names.ts';
import { adsSource, rawBuffer, upstreamTls } from './tls.ts';

export interface MeshCluster {
  readonly name: string;
  readonly protocol: Protocol;
  /** ms; 0: the default, 5,000. */
  readonly connectTimeoutMs: number;
  readonly groups: readonly TlsGroup[];
}

/** No certificate has it: what no group describes is not connected to, neither in the clear nor to whoever answers. */
const nobody = 'urn:isthmus:no-endpoint';

/** A service port as callers see it: endpoints over ADS, and for each of them the proof that it owes. */
export function edsCluster({ name, protocol, connectTimeoutMs, groups }: MeshCluster): Cluster {
  const alpn = alpnOf(protocol);
  const matches = groups.map((group) => ({
    name: group.id,
    match: { tls: group.id },
    transportSocket: upstreamTls({ sni: group.sni, uriSans: group.uriSans, trust: clusterBundleSecretName(group.cluster), alpn }),
  }));
  return Cluster.create({
    ...common(name, protocol, connectTimeoutMs),
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: adsSource },
    outlierDetection: outliers,
    transportSocketMatches: [...matches, plaintext],
    transportSocket: upstreamTls({ sni: '', uriSans: [nobody], trust: bundleSecretName, alpn: [] }),
  });
}

/** Where a gateway takes what came for its own network: bytes go on as they are. `assignment`: the name of its endpoints. */
export function localEdsCluster({ name, protocol, connectTimeoutMs }: Omit<MeshCluster, 'groups'>, assignment: string): Cluster {
  return Cluster.create({
    ...common(name, protocol, connectTimeoutMs),
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: adsSource, serviceName: assignment },
    outlierDetection: outliers,
  });
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
  return protocol === 'http2' || protocol === 'grpc' ? ['h2'] : [];
}

export function isHttp(protocol: Protocol): boolean {
  return protocol === 'http' || protocol === 'http2' || protocol === 'grpc';
}

const plaintext: Cluster_TransportSocketMatch = { name: plaintextGroup, match: { tls: plaintextGroup }, transportSocket: rawBuffer };

/** Envoy's own defaults are 1,024 and, for retries, 3. */
const many = 1 << 30;
const circuitBreakers = CircuitBreakers.create({
  thresholds: [{ maxConnections: many, maxPendingRequests: many, maxRequests: many, maxRetries: many }],
});

/** As our own proxies: a refused connection holds an endpoint back for 0.5 s to 30 s; what an application answers never does. */
const outliers = OutlierDetection.create({
  splitExternalLocalOriginErrors: true,
  consecutiveLocalOriginFailure: 1,
  enforcingConsecutiveLocalOriginFailure: 100,
  enforcingConsecutive5xx: 0,
  enforcingConsecutiveGatewayFailure: 0,
  enforcingSuccessRate: 0,
  enforcingLocalOriginSuccessRate: 0,
  interval: duration(500),
  baseEjectionTime: duration(500),
  maxEjectionTime: duration(30_000),
  maxEjectionPercent: 100,
});

function common(name: string, protocol: Protocol, connectTimeoutMs: number) {
  return {
    name,
    lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
    connectTimeout: duration(connectTimeoutMs || proxyLimits.connectTimeoutMs),
    circuitBreakers,
    // Only when nothing at all is sound are the suspects used; and no change waits to be merged with the next.
    commonLbConfig: { healthyPanicThreshold: { value: 1 }, updateMergeWindow: duration(0) },
    ...(isHttp(protocol) ? { typedExtensionProtocolOptions: { [httpOptionsName]: httpOptions(protocol) } } : {}),
  };
}

const httpOptionsName = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

function httpOptions(protocol: Protocol): Any {
  const options = HttpProtocolOptions.create({
    commonHttpProtocolOptions: { idleTimeout: duration(proxyLimits.upstreamIdleMs), maxHeadersCount: proxyLimits.maxHeaders },
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
