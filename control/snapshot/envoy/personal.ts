import { clusterSetHost, meshHost, serviceKey, sniName } from '../../../core/model/index.ts';
import {
  appCluster,
  Cluster,
  type HttpHost,
  httpListener,
  inboundListener,
  Listener,
  outboundListener,
  RouteConfiguration,
  routeConfiguration,
} from '../../../core/xds/envoy/index.ts';
import { envoyTypeUrls, type HttpClaim, type InboundClaim, type NodeClaims, type OutboundClaim } from '../../../core/xds/index.ts';
import type { DialectContext, DialectResource, FindResource } from '../dialect.ts';
import { sealed } from './sealed.ts';

/** A sidecar's or an ingress gateway's own listeners, as it asked for them. */
export function personal(claims: NodeClaims, find: FindResource, context: DialectContext): readonly DialectResource[] {
  if (context.client.kind === 'gateway') return [];
  return [
    ...(claims.inbound === undefined ? [] : inbound(claims.inbound, find, context)),
    ...claims.outbound.flatMap((claim) => outbound(claim, find, context)),
    ...claims.http.flatMap((claim) => http(claim, find, context)),
  ];
}

function inbound(claim: NonNullable<NodeClaims['inbound']>, find: FindResource, context: DialectContext): DialectResource[] {
  const { hostSuffix, trustDomain } = context;
  const at = { address: claim.address, port: claim.port };
  // Two chains of one server name would spoil the listener for all.
  const services = [...new Map(claim.services.map((s) => [inboundCluster(s, hostSuffix), s])).entries()];
  if (services.length === 0) return [];
  const authz = services.map(([, s]) => find('authz', serviceKey(s.namespace, s.name)));
  const deniedSerials = find('bundle', trustDomain)?.value.deniedSerials ?? [];
  const ends = () =>
    services.map(([cluster, s], i) => ({
      serverNames: [meshHost(s, hostSuffix), clusterSetHost(s)].map((host) => sniName({ port: s.port, subset: '', host })),
      protocol: s.protocol,
      cluster,
      app: { address: s.address, port: s.target },
      // Without a word about who may call, nobody may.
      authorization: { trustDomain, rules: authz[i]?.value.rules ?? [], deniedSerials },
    }));
  const inputs = [claim, hostSuffix, trustDomain, deniedSerials, authz.map((a) => a?.version ?? '')];
  const listener = sealed(
    envoyTypeUrls.listener,
    Listener,
    'inbound',
    inputs,
    () => inboundListener('inbound', at, ends()) ?? Listener.create(),
  );
  return [
    listener,
    ...services.map(([name, { protocol, address, target }]) =>
      sealed(envoyTypeUrls.cluster, Cluster, name, [protocol, address, target], () => appCluster(name, protocol, address, target)),
    ),
  ];
}

function inboundCluster(service: InboundClaim, hostSuffix: string): string {
  return `inbound|${service.port}||${meshHost(service, hostSuffix)}`;
}

/** Nothing listens for a service that is not there, or that this client may not call. */
function outbound(claim: OutboundClaim, find: FindResource, context: DialectContext): DialectResource[] {
  const target = targetOf(claim, find, context);
  if (target === undefined) return [];
  const { protocol, cluster } = target;
  const name = `outbound|${claim.address}|${claim.listen}`;
  const at = { address: claim.address, port: claim.listen };
  return [sealed(envoyTypeUrls.listener, Listener, name, [at, protocol, cluster], () => outboundListener(name, at, { protocol, cluster }))];
}

function http(claim: HttpClaim, find: FindResource, context: DialectContext): DialectResource[] {
  const name = `http|${claim.address}|${claim.listen}`;
  const at = { address: claim.address, port: claim.listen };
  const taken = new Set<string>();
  const hosts = claim.services.flatMap((service): HttpHost[] => {
    const target = targetOf(service, find, context);
    if (target === undefined) return [];
    const names = [...target.hosts, ...service.hosts].map((host) => host.toLowerCase()).filter((host) => hostForm.test(host));
    // One name twice would spoil the whole configuration; the first that asks has it.
    const domains = [...new Set(names)].filter((host) => !taken.has(host));
    for (const host of domains) taken.add(host);
    return domains.length === 0
      ? []
      : [{ name: `${service.name}.${service.namespace}:${service.port}`, domains, cluster: target.cluster, retries: true }];
  });
  return [
    sealed(envoyTypeUrls.listener, Listener, name, [at], () => httpListener(name, at, name)),
    sealed(envoyTypeUrls.route, RouteConfiguration, name, [hosts], () => routeConfiguration(name, hosts)),
  ];
}

/** A name, `*`, or a name whose first label is `*`. */
const hostForm = /^(\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*)$/;

function targetOf(claim: { namespace: string; name: string; port: number }, find: FindResource, context: DialectContext) {
  const listener = find('listener', meshHost(claim, context.hostSuffix))?.value;
  if (listener?.type !== 'service') return undefined;
  const port = listener.ports.find((p) => p.port === claim.port);
  return port === undefined ? undefined : { hosts: listener.hosts, protocol: port.protocol, cluster: port.cluster };
}
