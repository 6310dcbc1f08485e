import { controlServiceAccount, formatSpiffeId, systemNamespace } from '../../model/index.ts';
import type { EnvoyBootstrapInput } from './bootstrap-input.ts';
import { grpcSource } from './config-source.ts';
import { agentClusterName, controlBundleSecretName, controlClusterName, passthroughClusterName, svidSecretName } from './names.ts';

const http2 = (more: object = {}) => ({
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    explicit_http_config: { http2_protocol_options: more },
  },
});

/** By name, because control planes move; every address stays in use, the one that answers is found by connecting. */
export function controlCluster(input: EnvoyBootstrapInput): Readonly<Record<string, unknown>> {
  return {
    name: controlClusterName,
    type: 'STRICT_DNS',
    connect_timeout: '5s',
    dns_refresh_rate: '5s',
    respect_dns_ttl: true,
    load_assignment: { cluster_name: controlClusterName, endpoints: [{ lb_endpoints: input.controlAddresses.map(endpointOf) }] },
    typed_extension_protocol_options: http2({ connection_keepalive: { interval: '20s', timeout: '10s' } }),
    transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: controlTls(input) },
  };
}

/** Where a connection was to go before a packet filter led it here. */
export const passthroughCluster: Readonly<Record<string, unknown>> = {
  name: passthroughClusterName,
  type: 'ORIGINAL_DST',
  lb_policy: 'CLUSTER_PROVIDED',
  connect_timeout: '10s',
};

/** On this machine, inside an owner-only folder: no TLS. */
export function agentCluster(socket: string): Readonly<Record<string, unknown>> {
  return {
    name: agentClusterName,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: agentClusterName,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: socket } } } }] }],
    },
    // How much may wait for an agent that hangs.
    typed_extension_protocol_options: http2({ initial_stream_window_size: 1_048_576, initial_connection_window_size: 1_048_576 }),
  };
}

/**
 * Envoy takes a certificate when any one of its names matches, so it could not demand the name of the cluster besides that of the
 * control plane. The bundle makes up for it: it holds what this cluster alone signs with, not the root.
 */
function controlTls({ identity: { trustDomain } }: EnvoyBootstrapInput): Readonly<Record<string, unknown>> {
  const control = formatSpiffeId({ trustDomain, namespace: systemNamespace, serviceAccount: controlServiceAccount });
  return {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    sni: 'control.isthmus',
    common_tls_context: {
      tls_params: { tls_minimum_protocol_version: 'TLSv1_2' },
      alpn_protocols: ['h2'],
      tls_certificate_sds_secret_configs: [secretFromAgent(svidSecretName)],
      combined_validation_context: {
        default_validation_context: { match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: control } }] },
        validation_context_sds_secret_config: secretFromAgent(controlBundleSecretName),
      },
    },
  };
}

function secretFromAgent(name: string): Readonly<Record<string, unknown>> {
  return { name, sds_config: { resource_api_version: 'V3', api_config_source: grpcSource('delta', agentClusterName) } };
}

function endpointOf(text: string): Readonly<Record<string, unknown>> {
  const colon = text.lastIndexOf(':');
  const address = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { endpoint: { address: { socket_address: { address, port_value: Number(text.slice(colon + 1)) } } } };
}
