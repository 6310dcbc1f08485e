import { createHash } from 'node:crypto';
import { packed } from '../../core/xds/envoy/any.ts';
import { Cluster, Cluster_DiscoveryType } from '../../core/xds/gen/envoy/config/cluster/v3/cluster.ts';
import type { Address } from '../../core/xds/gen/envoy/config/core/v3/address.ts';
import type { ConfigSource } from '../../core/xds/gen/envoy/config/core/v3/config_source.ts';
import { ClusterLoadAssignment } from '../../core/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import { Listener } from '../../core/xds/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../core/xds/gen/envoy/config/route/v3/route.ts';
import { Router } from '../../core/xds/gen/envoy/extensions/filters/http/router/v3/router.ts';
import { HttpConnectionManager } from '../../core/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { Secret } from '../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
import { UpstreamTlsContext } from '../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import type { EncodedResource } from '../../core/xds/index.ts';

const filters = 'envoy.extensions.filters';
const tls = 'envoy.extensions.transport_sockets.tls.v3';

function encoded(name: string, value: Uint8Array): EncodedResource {
  return { name, version: createHash('sha256').update(value).digest('hex').slice(0, 12), value };
}

const at = (address: string, port: number): Address => ({
  address: {
    $case: 'socketAddress',
    value: {
      protocol: 0,
      address,
      portSpecifier: { $case: 'portValue', value: port },
      resolverName: '',
      ipv4Compat: false,
      networkNamespaceFilepath: '',
    },
  } as NonNullable<Address['address']>,
});

const endpoints = (address: string, ports: readonly number[]) => [
  {
    lbEndpoints: ports.map((port) => ({
      hostIdentifier: { $case: 'endpoint' as const, value: { address: at(address, port) } },
    })),
  },
];

/** With endpoints from `source`, by TLS when `secret` names what to trust. Envoy waits for its endpoints as long as it takes. */
export function edsCluster(
  name: string,
  source: ConfigSource,
  options: { timeoutSeconds?: number; secret?: string } = {},
): EncodedResource {
  const { timeoutSeconds = 5, secret } = options;
  const context = UpstreamTlsContext.create({
    commonTlsContext: {
      validationContextType: { $case: 'validationContextSdsSecretConfig', value: { name: secret ?? '', sdsConfig: source } },
    },
  });
  const typedConfig = packed(`${tls}.UpstreamTlsContext`, UpstreamTlsContext, context);
  const cluster = Cluster.create({
    name,
    connectTimeout: { seconds: timeoutSeconds, nanos: 0 },
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: source },
    ...(secret === undefined
      ? {}
      : { transportSocket: { name: 'envoy.transport_sockets.tls', configType: { $case: 'typedConfig' as const, value: typedConfig } } }),
  });
  return encoded(name, Cluster.encode(cluster).finish());
}

/** Reads well, and Envoy refuses it: a static cluster's endpoint must be an address. */
export function badCluster(name: string): EncodedResource {
  const type = { $case: 'type' as const, value: Cluster_DiscoveryType.STATIC };
  const loadAssignment = { clusterName: name, endpoints: endpoints('no-address.invalid', [80]) };
  return encoded(name, Cluster.encode(Cluster.create({ name, clusterDiscoveryType: type, loadAssignment })).finish());
}

/** What Envoy cannot even validate: a cluster without a name inside. */
export function unreadableCluster(name: string): EncodedResource {
  return encoded(name, Cluster.encode(Cluster.create({ name: '', altStatName: name })).finish());
}

export function assignment(clusterName: string, ports: readonly number[]): EncodedResource {
  return encoded(
    clusterName,
    ClusterLoadAssignment.encode(ClusterLoadAssignment.create({ clusterName, endpoints: endpoints('127.0.0.1', ports) })).finish(),
  );
}

export function httpListener(name: string, port: number, routeConfigName: string, source: ConfigSource): EncodedResource {
  const manager = HttpConnectionManager.create({
    statPrefix: name,
    routeSpecifier: { $case: 'rds', value: { routeConfigName, configSource: source } },
    httpFilters: [
      {
        name: 'envoy.filters.http.router',
        configType: { $case: 'typedConfig', value: packed(`${filters}.http.router.v3.Router`, Router, Router.create()) },
      },
    ],
  });
  const type = `${filters}.network.http_connection_manager.v3.HttpConnectionManager`;
  const filter = {
    name: 'http',
    configType: { $case: 'typedConfig' as const, value: packed(type, HttpConnectionManager, manager) },
  };
  const listener = Listener.create({ name, address: at('127.0.0.1', port), filterChains: [{ filters: [filter] }] });
  return encoded(name, Listener.encode(listener).finish());
}

export function badListener(name: string): EncodedResource {
  return encoded(name, Listener.encode(Listener.create({ name, address: at('no-address.invalid', 80), filterChains: [{}] })).finish());
}

export function routeTo(name: string, cluster: string): EncodedResource {
  const action = { clusterSpecifier: { $case: 'cluster' as const, value: cluster } };
  const routes = [
    { match: { pathSpecifier: { $case: 'prefix' as const, value: '/' } }, action: { $case: 'route' as const, value: action } },
  ];
  const route = RouteConfiguration.create({ name, virtualHosts: [{ name: 'all', domains: ['*'], routes }] });
  return encoded(name, RouteConfiguration.encode(route).finish());
}

/** What to trust. */
export function trustSecret(name: string, pem: string): EncodedResource {
  const trustedCa = { specifier: { $case: 'inlineString' as const, value: pem } };
  const secret = Secret.create({ name, type: { $case: 'validationContext', value: { trustedCa } } });
  return encoded(name, Secret.encode(secret).finish());
}
