import type { HttpPlan } from './contract.ts';

const type = (name: string) => `type.googleapis.com/envoy.extensions.${name}`;
const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** The rules of http-rules.ts as Envoy has them; what it says of a request is what ours say: the caller's address and an id. */
export function envoyHttp(version: HttpPlan['version'], originPort: number): object {
  const route = { cluster: 'orders', timeout: '0s' };
  const routes = [
    { match: { prefix: '/', headers: [{ name: 'x-canary', string_match: { exact: 'yes' } }] }, route },
    { match: { path: '/admin' }, direct_response: { status: 403 } },
    { match: { path_separated_prefix: '/old' }, direct_response: { status: 410 } },
    {
      match: { prefix: '/' },
      route,
      request_headers_to_add: [{ header: { key: 'x-route', value: 'default' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }],
    },
  ];
  const manager = {
    '@type': type('filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'bench',
    use_remote_address: true,
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': type('filters.http.router.v3.Router') } }],
    route_config: { virtual_hosts: [{ name: 'orders', domains: ['*'], routes }] },
  };
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
  const protocol = version === 'http2' ? { http2_protocol_options: {} } : { http_protocol_options: {} };
  const endpoint = { endpoint: { address: loopback(originPort) } };
  const cluster = {
    name: 'orders',
    type: 'STATIC',
    connect_timeout: '5s',
    typed_extension_protocol_options: {
      [options]: { '@type': type('upstreams.http.v3.HttpProtocolOptions'), explicit_http_config: protocol },
    },
    load_assignment: { cluster_name: 'orders', endpoints: [{ lb_endpoints: [endpoint] }] },
  };
  return { listeners: [{ name: 'in', address: loopback(0), filter_chains: [{ filters }] }], clusters: [cluster] };
}

function loopback(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
