import { Cluster, Cluster_DiscoveryType, Cluster_LbPolicy } from '../../../core/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { Listener } from '../../../core/xds/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../../core/xds/gen/envoy/config/route/v3/route.ts';
import { ClusterConfig } from '../../../core/xds/gen/envoy/extensions/clusters/aggregate/v3/cluster.ts';
import { Router } from '../../../core/xds/gen/envoy/extensions/filters/http/router/v3/router.ts';
import { HttpConnectionManager } from '../../../core/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { UpstreamTlsContext } from '../../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import { anchorInstance, identityInstance } from '../../../core/xds/grpc/index.ts';
import type { DialectResource } from '../dialect.ts';
import type { ClusterIr } from '../ir.ts';
import { assignmentOf } from './assignment.ts';
import { overAds, pack, providerInstance, resourceOf } from './messages.ts';
import type { EndpointGroup, TargetPlan } from './plan-port.ts';
import { scaleWeights } from './scale-weights.ts';

/** Everything that callers of one service port are told. */
export function clientResources(cluster: ClusterIr, plans: readonly TargetPlan[]): readonly DialectResource[] {
  const groups = new Map(plans.flatMap((plan) => plan.groups).map((group) => [group.key, group]));
  const nobody = plans.some((plan) => plan.groups.length === 0) ? [{ ...cluster, name: groupName(cluster) }] : [];
  return [
    ...plans.flatMap((plan) => targetResources(cluster, plan)),
    ...[...groups.values()].flatMap((group) => groupResources(cluster, group)),
    // Known and empty: a caller is told at once, and not after waiting for a resource that never comes.
    ...nobody.flatMap(({ name }) => [edsCluster(name, cluster), assignmentOf(name, [])]),
  ];
}

function targetResources(cluster: ClusterIr, { target, groups }: TargetPlan): readonly DialectResource[] {
  const first = groups.filter((g) => g.priority === groups[0]?.priority);
  const clusters = first.map((head) => ({ name: aggregateName(cluster, head, target), weight: head.weight }));
  return [
    resourceOf('listener', target, Listener, {
      name: target,
      apiListener: {
        apiListener: pack('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', HttpConnectionManager, {
          routeSpecifier: { $case: 'rds', value: { configSource: overAds, routeConfigName: target } },
          httpFilters: [routerFilter],
        }),
      },
    }),
    resourceOf('route', target, RouteConfiguration, {
      name: target,
      virtualHosts: [
        { name: target, domains: ['*'], routes: [{ match: anyPath, action: { $case: 'route', value: leadTo(cluster, clusters) } }] },
      ],
    }),
    ...first.map((head) => aggregate(aggregateName(cluster, head, target), cluster, [head, ...groups.filter((g) => g !== head)])),
  ];
}

const anyPath = { pathSpecifier: { $case: 'prefix', value: '' } } as const;

/** Never optional: a client that does not know a filter has to refuse, not to go on without it. */
export const routerFilter = {
  name: 'router',
  configType: { $case: 'typedConfig', value: pack('extensions.filters.http.router.v3.Router', Router, {}) },
} as const;

function leadTo(cluster: ClusterIr, clusters: readonly { readonly name: string; readonly weight: number }[]) {
  const [only, second] = clusters;
  if (second === undefined) return { clusterSpecifier: { $case: 'cluster', value: only?.name ?? groupName(cluster) } } as const;
  const weights = scaleWeights(clusters.map((c) => c.weight));
  return {
    clusterSpecifier: {
      $case: 'weightedClusters',
      // Some clients divide by total_weight, 100 unless it is said, and some by the sum.
      value: {
        clusters: clusters.map(({ name }, i) => ({ name, weight: weights[i] ?? 0 })),
        totalWeight: weights.reduce((a, b) => a + b, 0),
      },
    },
  } as const;
}

function groupResources(cluster: ClusterIr, group: EndpointGroup): readonly DialectResource[] {
  const name = groupName(cluster, group);
  return [edsCluster(name, cluster, group), assignmentOf(name, group.endpoints)];
}

function groupName({ port, host }: ClusterIr, group?: EndpointGroup): string {
  return `outbound|${port}|${group?.key ?? ''}|${host}`;
}

function aggregateName({ port }: ClusterIr, head: EndpointGroup, target: string): string {
  return `failover|${port}|${head.key}|${target}`;
}

function aggregate(name: string, cluster: ClusterIr, groups: readonly EndpointGroup[]): DialectResource {
  const clusters = groups.map((group) => groupName(cluster, group));
  return resourceOf('cluster', name, Cluster, {
    name,
    lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
    clusterDiscoveryType: {
      $case: 'clusterType',
      value: {
        name: 'envoy.clusters.aggregate',
        typedConfig: pack('extensions.clusters.aggregate.v3.ClusterConfig', ClusterConfig, { clusters }),
      },
    },
  });
}

function edsCluster(name: string, cluster: ClusterIr, group?: EndpointGroup): DialectResource {
  const tls = group?.uriSans === undefined ? {} : { transportSocket: clientTls(group.cluster, group.uriSans) };
  return resourceOf('cluster', name, Cluster, {
    name,
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: overAds, serviceName: name },
    lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
    ...(cluster.connectTimeoutMs === 0
      ? {}
      : { connectTimeout: { seconds: Math.floor(cluster.connectTimeoutMs / 1000), nanos: (cluster.connectTimeoutMs % 1000) * 1e6 } }),
    ...tls,
  });
}

/**
 * Matchers are any-of, so that cluster and identity cannot both be demanded by name: the only anchor is the mesh cluster's own, which
 * also holds for a leaf that its cluster made without the cluster's name.
 */
function clientTls(cluster: string, uriSans: readonly string[]) {
  return {
    name: 'envoy.transport_sockets.tls',
    configType: {
      $case: 'typedConfig',
      value: pack('extensions.transport_sockets.tls.v3.UpstreamTlsContext', UpstreamTlsContext, {
        commonTlsContext: {
          tlsCertificateProviderInstance: providerInstance(identityInstance),
          validationContextType: {
            $case: 'validationContext',
            value: {
              caCertificateProviderInstance: providerInstance(anchorInstance(cluster)),
              matchSubjectAltNames: uriSans.map((uri) => ({ matchPattern: { $case: 'exact', value: uri } as const })),
            },
          },
        },
      }),
    },
  } as const;
}
