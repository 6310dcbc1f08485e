import { systemNamespace } from '../../../core/model/index.ts';
import type { IngressListener } from '../../../core/traffic/index.ts';
import {
  ingressHosts,
  ingressListener,
  ingressRoutes,
  ingressSecrets,
  isHttp,
  Listener,
  routingHosts,
  Secret,
  type TrafficSource,
} from '../../../core/xds/envoy/index.ts';
import { envoyTypeUrls } from '../../../core/xds/index.ts';
import type { DialectContext, DialectResource } from '../dialect.ts';
import type { Resource, Snapshot } from '../ir.ts';
import { routesResource } from './routing.ts';
import { sealed } from './sealed.ts';

/** What gateways route for callers that have no proxy of their own: the listeners of ingress, and the routes of both kinds. */
export function callers(snapshot: Snapshot, context: DialectContext): readonly DialectResource[] {
  if (context.client.kind === 'agent') return [];
  const source = gatewaySource(context);
  const listeners = [...snapshot.resources.listener.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const made = listeners.flatMap(({ name, version, value }) => {
    if (value.type === 'ingress') return ingress(name, version, value, { snapshot, source, logging: context.logging });
    const routing = value.type === 'originate' && isHttp(value.protocol) ? snapshot.resources.routing.get(value.routing ?? '') : undefined;
    return routing === undefined
      ? []
      : [routesResource(routing.name, routingHosts(routing.value), routing.version, looking(snapshot, source))];
  });
  // Several ports may be led by one routing, and several servers have one certificate.
  return [...new Map(made.map((each) => [`${each.typeUrl} ${each.name}`, each])).values()];
}

/** A gateway calls as itself. */
export function gatewaySource({ client }: DialectContext): TrafficSource {
  return { namespace: systemNamespace, labels: client.labels ?? {} };
}

function looking({ resources }: Snapshot, source: TrafficSource) {
  return { source, find: (name: string) => resources.cluster.get(name) };
}

function ingress(
  name: string,
  version: string,
  listener: IngressListener,
  {
    snapshot,
    source,
    logging,
  }: { readonly snapshot: Snapshot; readonly source: TrafficSource; readonly logging: DialectContext['logging'] },
): DialectResource[] {
  const routings = new Map<string, Resource<'routing'>>();
  for (const { routing } of listener.servers) {
    const found = snapshot.resources.routing.get(routing);
    if (found !== undefined) routings.set(routing, found);
  }
  const find = (each: string) => routings.get(each)?.value;
  // What HTTP is led by does not show in the listener.
  const l4 = listener.servers.filter((server) => server.protocol !== 'http').map((server) => routings.get(server.routing)?.version ?? '');
  if (ingressListener(name, listener, { find, source, logging }) === undefined) return [];
  return [
    sealed(
      envoyTypeUrls.listener,
      Listener,
      name,
      [version, l4, source, ...(logging === undefined ? [] : [logging])],
      () => ingressListener(name, listener, { find, source, logging }) ?? Listener.create(),
    ),
    ...ingressRoutes(name, listener).map((routes) => {
      const versions = routes.servers.map((server) => [server, routings.get(server.routing)?.version ?? '']);
      return routesResource(routes.name, ingressHosts(routes, find), versions, looking(snapshot, source));
    }),
    ...listener.servers.flatMap(({ tls }) => (tls === undefined ? [] : ingressSecrets(tls).map(secret))),
  ];
}

function secret(value: Secret): DialectResource {
  return sealed(envoyTypeUrls.secret, Secret, value.name, [], () => value);
}
