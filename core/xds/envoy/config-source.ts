/**
 * Envoy's own 30 s at most would leave it without news for that long after an outage: a control plane that has come back waits for its Envoys
 * before it signs by what they may not know yet (`returnMs` in control/ca/rotation), and not for longer than this takes.
 */
const retryPolicy = { retry_back_off: { base_interval: '0.5s', max_interval: '5s' } };

/** `api_config_source` of a gRPC stream. */
export function grpcSource(transport: 'delta' | 'sotw', cluster: string): Readonly<Record<string, unknown>> {
  return {
    api_type: transport === 'delta' ? 'DELTA_GRPC' : 'GRPC',
    transport_api_version: 'V3',
    set_node_on_first_message_only: true,
    grpc_services: [{ envoy_grpc: { cluster_name: cluster, retry_policy: retryPolicy } }],
  };
}
