import { sniName } from '../../core/model/index.ts';
import type { ClusterTable, SniRule } from '../engine/index.ts';
import type { DataPlaneState } from '../state/index.ts';
import { authzOrNobody, type Rules } from '../tables.ts';
import type { InboundService } from './contract.ts';

/** Loopback refuses at once or not at all. */
const connectTimeoutMs = 5_000;

/** Every name of every service leads to its app's port. Pure. */
export function inboundRules(services: readonly InboundService[], state: DataPlaneState, owner: string): Rules {
  const sni = new Map<string, SniRule>();
  const clusters = new Map<string, ClusterTable>();
  for (const each of services) {
    const { namespace, service, port, protocol, hosts, proxyProtocol, forwardClientCert, identity } = each;
    const name = `inbound|${port}||${hosts[0] ?? `${service}.${namespace}`}`;
    const endpoints = [appEndpoint(each, owner)];
    const told = proxyProtocol === undefined ? {} : { proxyProtocol };
    clusters.set(name, { name, host: hosts[0] ?? '', namespace, service, protocol, connectTimeoutMs, endpoints, ...told });
    const authz = authzOrNobody(state, `${namespace}/${service}`);
    const end = { namespace, service };
    const nameless = forwardClientCert === 'sanitize' ? { nameless: true as const } : {};
    const svid = identity === undefined ? {} : { svid: identity.current() };
    const rule = { mode: 'terminate' as const, clusterName: name, protocol, authz, end, anySubset: true as const, ...nameless, ...svid };
    for (const host of hosts) sni.set(sniName({ port, subset: '', host }), rule);
  }
  return { sni, plain: new Map(), clusters, routings: new Map() };
}

function appEndpoint({ appAddress, appPort, service }: InboundService, cluster: string) {
  return {
    address: appAddress ?? '127.0.0.1',
    port: appPort,
    weight: 1,
    priority: 0,
    cluster,
    network: '',
    locality: '',
    runtime: 'vm',
    instance: service,
    viaGateway: false,
    stale: false,
    draining: false,
  };
}
