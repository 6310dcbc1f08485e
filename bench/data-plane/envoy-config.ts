/** What Envoy is to do: the same as the gateway under test, with the same keys. Paths are of PEM files. */
export interface EnvoySite {
  readonly files: { readonly chain: string; readonly key: string; readonly roots: string };
  readonly trustDomain: string;
  readonly terminateSni: string;
  readonly passthroughSni: string;
  readonly appPort: number;
  readonly echoPort: number;
}

const tls = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';
const filter = (name: string) => `type.googleapis.com/envoy.extensions.filters.${name}`;
const logLine = { start: '%START_TIME%', code: '%RESPONSE_CODE%', flags: '%RESPONSE_FLAGS%', peer: '%DOWNSTREAM_PEER_URI_SAN%' };
const accessLog = [
  {
    name: 'envoy.access_loggers.file',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
      path: '/dev/null',
      log_format: { json_format: logLine },
    },
  },
];

/** A static bootstrap: mTLS ended for one SNI with x-forwarded-client-cert set, the other passed on as it is; both with a JSON access log. */
export function envoyBootstrap(site: EnvoySite): object {
  return {
    admin: { address: loopback(0) },
    static_resources: {
      listeners: [
        {
          name: 'east-west',
          address: loopback(0),
          listener_filters: [
            {
              name: 'envoy.filters.listener.tls_inspector',
              typed_config: { '@type': filter('listener.tls_inspector.v3.TlsInspector') },
            },
          ],
          filter_chains: [terminate(site), passthrough(site)],
        },
      ],
      clusters: [cluster('app', site.appPort), cluster('echo', site.echoPort)],
    },
  };
}

function terminate({ files, trustDomain, terminateSni }: EnvoySite): object {
  const san = { san_type: 'URI', matcher: { prefix: `spiffe://${trustDomain}/` } };
  const context = {
    tls_certificates: [{ certificate_chain: { filename: files.chain }, private_key: { filename: files.key } }],
    validation_context: { trusted_ca: { filename: files.roots }, match_typed_subject_alt_names: [san] },
  };
  const connectionManager = {
    '@type': filter('network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'terminate',
    access_log: accessLog,
    forward_client_cert_details: 'SANITIZE_SET',
    set_current_client_cert_details: { uri: true, dns: true },
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': filter('http.router.v3.Router') } }],
    route_config: { virtual_hosts: [{ name: 'app', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }] }] },
  };
  return {
    filter_chain_match: { server_names: [terminateSni] },
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: { '@type': tls, common_tls_context: context, require_client_certificate: true },
    },
    filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: connectionManager }],
  };
}

function passthrough({ passthroughSni }: EnvoySite): object {
  const proxy = { '@type': filter('network.tcp_proxy.v3.TcpProxy'), stat_prefix: 'passthrough', cluster: 'echo', access_log: accessLog };
  return {
    filter_chain_match: { server_names: [passthroughSni] },
    filters: [{ name: 'envoy.filters.network.tcp_proxy', typed_config: proxy }],
  };
}

function cluster(name: string, port: number): object {
  const endpoint = { endpoint: { address: loopback(port) } };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
  };
}

function loopback(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
