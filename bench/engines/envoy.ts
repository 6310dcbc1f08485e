import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findEnvoy, startEnvoy } from '../data-plane/start-envoy.ts';
import { type BenchIdentity, mostClusters, type PemFiles, pairSni, type RunningProxy, type StartProxy, sniOf } from './contract.ts';
import { onProxyCore } from './cores.ts';
import { envoyHttp } from './envoy-http.ts';
import { pairOf } from './spawn-proxy.ts';

const type = (name: string) => `type.googleapis.com/envoy.extensions.${name}`;
const tls13 = { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' };
/** More than a case opens: the default of 1,024 is no property of its speed. */
const breakers = { thresholds: [{ max_connections: 50_000, max_pending_requests: 50_000 }] };

export const startEnvoyProxy: StartProxy = async ({ plan, originPort, dir, identity }) => {
  const binary = await findEnvoy();
  if (binary === undefined) return undefined;
  const start = async (name: string, resources: object): Promise<RunningProxy> => {
    const folder = join(dir, `envoy-${name}`);
    await mkdir(folder);
    const envoy = await startEnvoy(binary, folder, { admin: { address: loopback(0) }, static_resources: resources }, onProxyCore);
    return { port: envoy.port, pids: [envoy.pid], stop: envoy.stop };
  };
  if (plan.kind === 'passthrough') return start('passthrough', passthrough(plan.routes, originPort));
  if (plan.kind === 'http') return start('http', envoyHttp(plan.version, originPort));
  const far = await start('terminate', terminate(originPort, plan.resume, identity));
  try {
    return pairOf(await start('originate', originate(far.port, plan.resume, identity)), far);
  } catch (error) {
    await far.stop();
    throw error;
  }
};

/** The names of one cluster share a filter chain: they are looked up one by one all the same. */
function passthrough(routes: number, originPort: number): object {
  const names = Array.from({ length: Math.min(mostClusters, routes) }, (): string[] => []);
  for (let i = 0; i < routes; i++) names[i % names.length]?.push(sniOf(i));
  const inspector = { name: 'tls_inspector', typed_config: { '@type': type('filters.listener.tls_inspector.v3.TlsInspector') } };
  const chains = names.map((server_names, i) => ({ filter_chain_match: { server_names }, filters: [tcpProxy(`b${i}`)] }));
  return { listeners: [listener(chains, [inspector])], clusters: names.map((_, i) => cluster(`b${i}`, originPort)) };
}

function terminate(originPort: number, resume: boolean, identity: BenchIdentity): object {
  const socket = {
    '@type': type('transport_sockets.tls.v3.DownstreamTlsContext'),
    common_tls_context: context(identity, identity.files.server),
    require_client_certificate: true,
    ...(resume ? {} : { disable_stateless_session_resumption: true, disable_stateful_session_resumption: true }),
  };
  const chain = { transport_socket: { name: 'tls', typed_config: socket }, filters: [tcpProxy('origin')] };
  return { listeners: [listener([chain])], clusters: [cluster('origin', originPort)] };
}

function originate(farPort: number, resume: boolean, identity: BenchIdentity): object {
  const socket = {
    '@type': type('transport_sockets.tls.v3.UpstreamTlsContext'),
    common_tls_context: context(identity, identity.files.client),
    sni: pairSni,
    // A ticket serves once: as many as connections are made at once, and some more.
    max_session_keys: resume ? 64 : 0,
  };
  const far = { ...cluster('far', farPort), transport_socket: { name: 'tls', typed_config: socket } };
  return { listeners: [listener([{ filters: [tcpProxy('far')] }])], clusters: [far] };
}

function context({ trustDomain, files }: BenchIdentity, own: PemFiles): object {
  const san = { san_type: 'URI', matcher: { prefix: `spiffe://${trustDomain}/` } };
  return {
    tls_params: tls13,
    tls_certificates: [{ certificate_chain: { filename: own.chain }, private_key: { filename: own.key } }],
    validation_context: { trusted_ca: { filename: files.roots }, match_typed_subject_alt_names: [san] },
  };
}

function listener(filter_chains: readonly object[], listener_filters: readonly object[] = []): object {
  return { name: 'in', address: loopback(0), tcp_backlog_size: 4_096, listener_filters, filter_chains };
}

function tcpProxy(cluster: string): object {
  const config = { '@type': type('filters.network.tcp_proxy.v3.TcpProxy'), stat_prefix: 'bench', cluster };
  return { name: 'envoy.filters.network.tcp_proxy', typed_config: config };
}

function cluster(name: string, port: number): object {
  const endpoint = { endpoint: { address: loopback(port) } };
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    circuit_breakers: breakers,
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [endpoint] }] },
  };
}

function loopback(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
