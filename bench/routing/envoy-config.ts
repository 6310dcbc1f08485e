import type { Backends } from './backends.ts';

const filter = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;
const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
const logFormat = { start: '%START_TIME%', path: '%REQ(:PATH)%', code: '%RESPONSE_CODE%', flags: '%RESPONSE_FLAGS%', took: '%DURATION%' };

/** The rules of our-rules.ts as Envoy has them, and a JSON access log as ours has one. */
export function envoyBootstrap({ http1, http2, grpc }: Backends): object {
  const routes = [
    { match: { prefix: '/', headers: [{ name: 'x-canary', string_match: { exact: 'yes' } }] }, route: { cluster: 'http1', timeout: '5s' } },
    { match: { safe_regex: { regex: '/admin/[a-z]+' } }, direct_response: { status: 403 } },
    { match: { path: '/old' }, redirect: { path_redirect: '/new' } },
    { match: { path_separated_prefix: '/h2' }, route: { cluster: 'http2', timeout: '5s' } },
    { match: { prefix: '/shop.Orders/' }, route: { cluster: 'grpc', timeout: '5s' } },
    {
      match: { prefix: '/' },
      route: { cluster: 'http1', timeout: '5s' },
      request_headers_to_add: [{ header: { key: 'x-route', value: 'default' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }],
    },
  ];
  const connectionManager = {
    '@type': filter('network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'bench',
    use_remote_address: true,
    access_log: [
      {
        name: 'envoy.access_loggers.file',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
          path: '/dev/null',
          log_format: { json_format: logFormat },
        },
      },
    ],
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': filter('http.router.v3.Router') } }],
    route_config: { virtual_hosts: [{ name: 'orders', domains: ['*'], routes }] },
  };
  const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: connectionManager }];
  return {
    admin: { address: loopback(0) },
    static_resources: {
      listeners: [{ name: 'orders', address: loopback(0), filter_chains: [{ filters }] }],
      clusters: [cluster('http1', http1, false), cluster('http2', http2, true), cluster('grpc', grpc, true)],
    },
  };
}

function cluster(name: string, port: number, speaksHttp2: boolean): object {
  const protocol = speaksHttp2 ? { http2_protocol_options: {} } : { http_protocol_options: {} };
  const typed = { '@type': `type.googleapis.com/${options}`, explicit_http_config: protocol };
  const endpoint = { endpoint: { address: loopback(port) } };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    typed_extension_protocol_options: { [options]: typed },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
  };
}

function loopback(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
