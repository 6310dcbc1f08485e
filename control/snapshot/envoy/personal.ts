import { mtlsModeOf } from '../../../core/authz/index.ts';
import { shiftSubset } from '../../../core/config/index.ts';
import { clusterSetHost, meshHost, type SpiffeId, serviceKey, sniName } from '../../../core/model/index.ts';
import {
  appCluster,
  Cluster,
  exposedListener,
  type HttpHost,
  httpListener,
  inboundListener,
  isHttp,
  Listener,
  outboundListener,
  plainRules,
  routingHosts,
  type TrafficSource,
} from '../../../core/xds/envoy/index.ts';
import { envoyTypeUrls, type HttpClaim, type InboundClaim, type NodeClaims, type OutboundClaim } from '../../../core/xds/index.ts';
import type { DialectContext, DialectResource, FindResource } from '../dialect.ts';
import type { Resource } from '../ir.ts';
import { hostsNamed, routesResource, saysSource } from './routing.ts';
import { sealed } from './sealed.ts';

/** A sidecar's or an ingress gateway's own listeners, as it asked for them. */
export function personal(claims: NodeClaims, find: FindResource, context: DialectContext, identity: SpiffeId): readonly DialectResource[] {
  if (context.client.kind === 'gateway') return [];
  const looker = { find, context, source: { namespace: identity.namespace, labels: claims.labels ?? {} } };
  return [
    ...(claims.inbound === undefined ? [] : inbound(claims.inbound, looker)),
    ...claims.outbound.flatMap((claim) => outbound(claim, looker)),
    ...claims.http.flatMap((claim) => http(claim, looker)),
  ];
}

/** Who asks, and how it is answered. */
interface Looker {
  readonly find: FindResource;
  readonly context: DialectContext;
  readonly source: TrafficSource;
}

function inbound(claim: NonNullable<NodeClaims['inbound']>, { find, context }: Looker): DialectResource[] {
  const { hostSuffix, trustDomain, logging } = context;
  const at = { address: claim.address, port: claim.port };
  // Two chains of one server name would spoil the listener for all.
  const services = [...new Map(claim.services.map((s) => [inboundCluster(s, hostSuffix), s])).entries()];
  if (services.length === 0) return [];
  const authz = services.map(([, s]) => find('authz', serviceKey(s.namespace, s.name)));
  // Callers may hear of a shift before this one does, and of its end after.
  const always = ['', shiftSubset.from, shiftSubset.to];
  const subsets = services.map(([, s]) => [
    ...new Set([...always, ...(find('inbound', serviceKey(s.namespace, s.name))?.value.subsets ?? [])]),
  ]);
  const { deniedSerials = [], others } = find('bundle', trustDomain)?.value ?? {};
  const federated = others === undefined ? {} : { federated: others };
  const ends = () =>
    services.map(([cluster, s], i) => ({
      serverNames: [meshHost(s, hostSuffix), clusterSetHost(s)].flatMap((host) =>
        (subsets[i] ?? always).map((subset) => sniName({ port: s.port, subset, host })),
      ),
      protocol: s.protocol,
      cluster,
      app: { address: s.address, port: s.target },
      // Without a word about who may call, nobody may.
      authorization: { trustDomain, ...authzOf(authz[i]), deniedSerials, ...federated },
    }));
  const inputs = [
    claim,
    hostSuffix,
    trustDomain,
    deniedSerials,
    authz.map((a) => a?.version ?? ''),
    subsets,
    ...(others ?? []),
    ...said(logging),
  ];
  const listener = sealed(
    envoyTypeUrls.listener,
    Listener,
    'inbound',
    inputs,
    () => inboundListener('inbound', at, ends(), 'named', logging) ?? Listener.create(),
  );
  const exposed = services.flatMap(([, { expose, port, ...service }], i) => {
    if (expose === undefined) return [];
    const mode = mtlsModeOf(authz[i]?.value.mtls, port);
    const name = `exposed|${expose.address}|${expose.port}`;
    const about = [expose, port, service, mode, authz[i]?.version ?? '', hostSuffix, trustDomain, deniedSerials, subsets[i]];
    const make = () => exposedListener(name, expose, ends()[i] ?? noEnd(), mode, logging);
    return [sealed(envoyTypeUrls.listener, Listener, name, [...about, ...(others ?? []), ...said(logging)], make)];
  });
  return [
    listener,
    ...exposed,
    ...services.map(([name, { protocol, address, target }]) =>
      sealed(envoyTypeUrls.cluster, Cluster, name, [protocol, address, target], () => appCluster(name, protocol, address, target)),
    ),
  ];
}

function noEnd(): never {
  throw new TypeError('an end for each service');
}

function authzOf(authz: Resource<'authz'> | undefined) {
  const { rules = [], tokens } = authz?.value ?? {};
  return { rules, ...(tokens === undefined ? {} : { tokens }) };
}

function inboundCluster(service: InboundClaim, hostSuffix: string): string {
  return `inbound|${service.port}||${meshHost(service, hostSuffix)}`;
}

/** Nothing listens for a service that is not there, or that this client may not call. */
function outbound(claim: OutboundClaim, looker: Looker): DialectResource[] {
  const target = targetOf(claim, looker);
  if (target === undefined) return [];
  const { protocol, cluster, routing, traffic } = target;
  const name = `outbound|${claim.address}|${claim.listen}`;
  const at = { address: claim.address, port: claim.listen };
  const { logging } = looker.context;
  const common = { protocol, cluster, ...(traffic === undefined ? {} : { traffic }) };
  if (routing === undefined) {
    const make = () => outboundListener(name, at, common, logging);
    return [sealed(envoyTypeUrls.listener, Listener, name, [at, common, ...said(logging)], make)];
  }
  if (!isHttp(protocol)) {
    const { l4 } = routing.value;
    const source = l4.some(({ matches }) => matches.some(saysSource)) ? looker.source : { namespace: '', labels: {} };
    const inputs = [at, common, routing.version, source, ...said(logging)];
    const make = () => outboundListener(name, at, { ...common, routes: { l4, source } }, logging);
    return [sealed(envoyTypeUrls.listener, Listener, name, inputs, make)];
  }
  const routes = routing.name;
  const make = () => outboundListener(name, at, { protocol, cluster, routes }, logging);
  return [
    sealed(envoyTypeUrls.listener, Listener, name, [at, protocol, routes, ...said(logging)], make),
    routesResource(routes, routingHosts(routing.value), routing.version, clustersBy(looker)),
  ];
}

function http(claim: HttpClaim, looker: Looker): DialectResource[] {
  const name = `http|${claim.address}|${claim.listen}`;
  const at = { address: claim.address, port: claim.listen };
  const { logging } = looker.context;
  const taken = new Set<string>();
  const versions: string[] = [];
  const hosts = claim.services.flatMap((service): readonly HttpHost[] => {
    const target = targetOf(service, looker);
    if (target === undefined) return [];
    const names = [...target.hosts, ...service.hosts].map((host) => host.toLowerCase()).filter((host) => hostForm.test(host));
    // One name twice would spoil the whole configuration; the first that asks has it.
    const domains = [...new Set(names)].filter((host) => !taken.has(host));
    for (const host of domains) taken.add(host);
    if (domains.length === 0) return [];
    const { cluster, routing } = target;
    versions.push(`${cluster} ${domains.join()} ${routing?.version ?? ''}`);
    const prefix = `${service.name}.${service.namespace}:${service.port}`;
    if (routing !== undefined) return hostsNamed(prefix, domains, routing.value);
    return [{ name: prefix, domains, rules: plainRules(cluster), retries: true }];
  });
  return [
    sealed(envoyTypeUrls.listener, Listener, name, [at, ...said(logging)], () => httpListener(name, at, name, logging)),
    routesResource(name, hosts, versions, clustersBy(looker)),
  ];
}

/** Where nothing is said of logs, listeners are of the versions that they had before there was anything to be said. */
function said(logging: DialectContext['logging']): readonly unknown[] {
  return logging === undefined ? [] : [logging];
}

function clustersBy({ find, source }: Looker) {
  return { source, find: (name: string) => find('cluster', name) };
}

/** A name, `*`, or a name whose first label is `*`. */
const hostForm = /^(\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*)$/;

function targetOf(claim: { namespace: string; name: string; port: number }, { find, context }: Looker) {
  const listener = find('listener', meshHost(claim, context.hostSuffix))?.value;
  if (listener?.type !== 'service') return undefined;
  const port = listener.ports.find((p) => p.port === claim.port);
  if (port === undefined) return undefined;
  const { protocol, cluster } = port;
  const routing = port.routing === undefined ? undefined : find('routing', port.routing);
  return { hosts: listener.hosts, protocol, cluster, routing, traffic: find('cluster', cluster)?.value.traffic };
}
