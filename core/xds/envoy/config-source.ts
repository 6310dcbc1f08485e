/** `api_config_source` of a gRPC stream. */
export function grpcSource(transport: 'delta' | 'sotw', cluster: string): Readonly<Record<string, unknown>> {
  return {
    api_type: transport === 'delta' ? 'DELTA_GRPC' : 'GRPC',
    transport_api_version: 'V3',
    set_node_on_first_message_only: true,
    grpc_services: [{ envoy_grpc: { cluster_name: cluster } }],
  };
}
