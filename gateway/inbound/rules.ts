import { mtlsModeOf } from '../../core/authz/index.ts';
import { sniName } from '../../core/model/index.ts';
import type { ClusterTable, ExposedRule, SniRule } from '../engine/index.ts';
import type { DataPlaneState } from '../state/index.ts';
import { authzOrNobody, type Rules } from '../tables.ts';
import type { InboundService, PlainPlace } from './contract.ts';
import type { CountedPort } from './plaintext-counter.ts';

/** Loopback refuses at once or not at all. */
const connectTimeoutMs = 5_000;

/** Every name of every service leads to its app's port. Pure. */
export function inboundRules(services: readonly InboundService[], state: DataPlaneState, owner: string): Rules {
  const sni = new Map<string, SniRule>();
  const exposed = new Map<string, ExposedRule>();
  const clusters = new Map<string, ClusterTable>();
  for (const each of services) {
    const { namespace, service, port, protocol, hosts, proxyProtocol, forwardClientCert, identity } = each;
    const name = clusterOf(each);
    const endpoints = [appEndpoint(each, owner)];
    const told = proxyProtocol === undefined ? {} : { proxyProtocol };
    clusters.set(name, { name, host: hosts[0] ?? '', namespace, service, protocol, connectTimeoutMs, endpoints, ...told });
    const authz = authzOrNobody(state, `${namespace}/${service}`);
    const end = { namespace, service };
    const nameless = forwardClientCert === 'sanitize' ? { nameless: true as const } : {};
    const svid = identity === undefined ? {} : { svid: identity.current() };
    const rule = { mode: 'terminate' as const, clusterName: name, protocol, authz, end, anySubset: true as const, ...nameless, ...svid };
    for (const host of hosts) sni.set(sniName({ port, subset: '', host }), rule);
    if (each.expose !== undefined) exposed.set(exposedName(each.expose), { end: rule, port, mode: mtlsModeOf(authz.mtls, port) });
  }
  return { sni, plain: new Map(), exposed, clusters, routings: new Map() };
}

/** Of its listener. */
export function exposedName({ address, port }: PlainPlace): string {
  return `exposed|${address}|${port}`;
}

/** What is counted of them, by the xDS cluster that their callers are led to. Pure. */
export function exposedPorts(services: readonly InboundService[]): ReadonlyMap<string, CountedPort> {
  const exposed = services.filter(({ expose }) => expose !== undefined);
  return new Map(exposed.map((each) => [clusterOf(each), { namespace: each.namespace, service: each.service, port: each.port }]));
}

function clusterOf({ port, hosts, service, namespace }: InboundService): string {
  return `inbound|${port}||${hosts[0] ?? `${service}.${namespace}`}`;
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
