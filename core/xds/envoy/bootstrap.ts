import { formatSpiffeId, parseLocality } from '../../model/index.ts';
import { labelsOf } from '../node.ts';
import { agentCluster, controlCluster, passthroughCluster } from './bootstrap-clusters.ts';
import type { EnvoyAdminAddress, EnvoyBootstrapInput } from './bootstrap-input.ts';
import { grpcSource } from './config-source.ts';
import { agentClusterName, controlClusterName } from './names.ts';

/** Envoy's own limit, 100, is below `/files/.{1,64}`, and an update is refused as a whole for one expression. What is larger than this the control plane refuses. */
const runtime = {
  layers: [
    { name: 'static', static_layer: { 're2.max_program_size.error_level': 32_768 } },
    { name: 'admin', admin_layer: {} },
  ],
};

/** envoy.config.bootstrap.v3.Bootstrap in its JSON form. Pure; equal input gives equal output. */
export function buildEnvoyBootstrap(input: EnvoyBootstrapInput): Readonly<Record<string, unknown>> {
  return {
    node: nodeOf(input),
    admin: { address: adminAddress(input.admin), ignore_global_conn_limit: true },
    dynamic_resources: {
      ads_config: grpcSource(input.transport, controlClusterName),
      cds_config: { ads: {}, resource_api_version: 'V3' },
      lds_config:
        input.listenersFrom === 'control'
          ? { ads: {}, resource_api_version: 'V3' }
          : { api_config_source: grpcSource('delta', agentClusterName), resource_api_version: 'V3' },
    },
    layered_runtime: runtime,
    // Sums alone: for what each request was, see flow-log.ts.
    cluster_manager: { load_stats_config: grpcSource('sotw', controlClusterName) },
    static_resources: {
      clusters: [controlCluster(input), agentCluster(input.agentSocket), ...(input.passthrough === true ? [passthroughCluster] : [])],
    },
    // For what a gateway's listeners hand on to each other: see internal-hop.ts.
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener' },
      },
    ],
    overload_manager: {
      resource_monitors: [
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
            max_active_downstream_connections: String(input.maxConnections ?? 10_000),
          },
        },
      ],
    },
  };
}

function nodeOf({
  kind,
  identity,
  instance,
  network,
  locality,
  labels = {},
  claims,
}: EnvoyBootstrapInput): Readonly<Record<string, unknown>> {
  const { region, zone, subzone } = parseLocality(locality);
  const { inbound, outbound, http } = claims;
  return {
    id: `${formatSpiffeId(identity)}#${instance}`,
    cluster: `${identity.namespace}.${identity.serviceAccount}`,
    locality: { region, zone, sub_zone: subzone },
    metadata: {
      dialect: 'envoy',
      kind,
      network,
      ...labelsOf(labels),
      ...(inbound === undefined ? {} : { inbound }),
      ...(outbound.length === 0 ? {} : { outbound }),
      ...(http.length === 0 ? {} : { http }),
    },
  };
}

function adminAddress(admin: EnvoyAdminAddress): Readonly<Record<string, unknown>> {
  return 'path' in admin
    ? { pipe: { path: admin.path, mode: 0o600 } }
    : { socket_address: { address: admin.address, port_value: admin.port } };
}
