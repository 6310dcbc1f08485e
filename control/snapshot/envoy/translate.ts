import { certificatesToPem } from '../../../core/pki/index.ts';
import {
  bundleSecretName,
  Cluster,
  ClusterLoadAssignment,
  clusterBundleSecretName,
  edsCluster,
  federatedBundleSecretName,
  isHttp,
  Listener,
  loadAssignment,
  localEdsCluster,
  originateListener,
  Secret,
  tlsGroups,
  trustDomainsSecret,
  trustSecret,
} from '../../../core/xds/envoy/index.ts';
import { envoyTypeUrls } from '../../../core/xds/index.ts';
import type { DialectContext, DialectResource } from '../dialect.ts';
import type { AssignmentIr, Resource, ResourceKind } from '../ir.ts';
import { gatewaySource } from './callers.ts';
import { sealed } from './sealed.ts';

/** What one owner contributes to every Envoy of the class. */
export function translate(resources: readonly Resource[], context: DialectContext): readonly DialectResource[] {
  const through = new Set(resources.flatMap((r) => (is(r, 'route') && r.value.tunnel === true ? [r.value.cluster] : [])));
  return resources.flatMap((resource) => {
    // Envoy holds no tunnels.
    if (through.has(resource.name)) return [];
    if (is(resource, 'endpoints')) return [assignment(resource)];
    if (is(resource, 'cluster')) return cluster(resource, resources);
    if (is(resource, 'listener')) return originate(resource, resources, context);
    if (is(resource, 'bundle')) {
      const { federated, roots } = resource.value;
      return federated === true ? [secret(federatedBundleSecretName(resource.name), roots)] : secrets(resource, resources);
    }
    return [];
  });
}

function is<K extends ResourceKind>(resource: Resource, kind: K): resource is Resource<K> {
  return resource.kind === kind;
}

function assignment({ name, version, value }: Resource<'endpoints'>): DialectResource {
  return sealed(envoyTypeUrls.loadAssignment, ClusterLoadAssignment, name, [version], () =>
    loadAssignment(name, value.endpoints, value.localities),
  );
}

/** An xDS cluster that only a gateway's route leads to is for that route; all others call with this proxy's identity. */
function cluster(resource: Resource<'cluster'>, all: readonly Resource[]): DialectResource[] {
  const { name, version, value } = resource;
  const { protocol, connectTimeoutMs } = value;
  const routes = all.filter((r): r is Resource<'route'> => is(r, 'route') && r.value.cluster === name);
  if (routes.length > 0) {
    return routes.map((route) => {
      // A gateway finds the cluster of what it does not read by the server name itself.
      const local = route.value.mode === 'passthrough' ? route.name : name;
      const { traffic = {} } = value;
      const spec = { name: local, protocol: route.value.mode === 'passthrough' ? ('tls' as const) : protocol, connectTimeoutMs, traffic };
      return sealed(envoyTypeUrls.cluster, Cluster, local, [version, spec], () => localEdsCluster(spec, name));
    });
  }
  const assigned = all.find((r): r is Resource<'endpoints'> => is(r, 'endpoints') && r.name === name)?.value as AssignmentIr | undefined;
  const groups = tlsGroups(assigned?.endpoints ?? []);
  const viaGateways = (assigned?.endpoints ?? []).some((endpoint) => endpoint.viaGateway);
  const byLocality = assigned?.localities !== undefined;
  const spec = { name, protocol, connectTimeoutMs, groups, host: value.host, byLocality, viaGateways };
  const inputs = [version, groups.map((group) => group.id), byLocality, viaGateways];
  const make = () => edsCluster({ ...spec, ...(value.traffic === undefined ? {} : { traffic: value.traffic }) });
  return [sealed(envoyTypeUrls.cluster, Cluster, name, inputs, make)];
}

function originate({ name, version, value }: Resource<'listener'>, all: readonly Resource[], context: DialectContext): DialectResource[] {
  if (value.type !== 'originate') return [];
  const at = { address: context.listen?.originate ?? '0.0.0.0', port: value.port };
  const { protocol, cluster, allowedCidrs } = value;
  const traffic = all.find((r): r is Resource<'cluster'> => is(r, 'cluster') && r.name === cluster)?.value.traffic;
  const routing = all.find((r): r is Resource<'routing'> => is(r, 'routing') && r.name === value.routing);
  const common = { protocol, cluster, allowedCidrs, ...(traffic === undefined ? {} : { traffic }) };
  const { logging } = context;
  const said = logging === undefined ? [] : [logging];
  if (routing === undefined) {
    return [
      sealed(envoyTypeUrls.listener, Listener, name, [version, at, traffic, ...said], () => originateListener(name, at, common, logging)),
    ];
  }
  // What HTTP is led by comes apart from the listener: see callers.ts.
  const routes = isHttp(protocol) ? routing.name : { l4: routing.value.l4, source: gatewaySource(context) };
  return [
    sealed(envoyTypeUrls.listener, Listener, name, [version, at, traffic, routes, ...said], () =>
      originateListener(name, at, { ...common, routes }, logging),
    ),
  ];
}

function secrets({ name: trustDomain, value }: Resource<'bundle'>, all: readonly Resource[]): DialectResource[] {
  const { roots, intermediates, deniedSerials } = value;
  const clusters = [...new Set(intermediates.map((each) => each.cluster))];
  const of = (name: string) => intermediates.filter((each) => each.cluster === name).map((each) => each.certificate);
  // Listeners refuse by serial number: those of one client are looked at again only when something of the class has changed.
  const others = all.filter((r): r is Resource<'bundle'> => is(r, 'bundle') && r.value.federated === true);
  const callers =
    others.length === 0
      ? secret(bundleSecretName, roots, deniedSerials)
      : trustDomainsOf(
          new Map([[trustDomain, roots], ...others.map((o): [string, readonly string[]] => [o.name, o.value.roots])]),
          deniedSerials,
        );
  return [callers, ...clusters.map((name) => secret(clusterBundleSecretName(name), of(name)))];
}

/** Of whom callers may be, where they may be of several trust domains. */
function trustDomainsOf(roots: ReadonlyMap<string, readonly string[]>, also: readonly string[]): DialectResource {
  const make = () => trustDomainsSecret(bundleSecretName, new Map([...roots].map(([name, ders]) => [name, pemOf(ders)])));
  return sealed(envoyTypeUrls.secret, Secret, bundleSecretName, [[...roots], also], make);
}

function pemOf(ders: readonly string[]): string {
  return certificatesToPem(ders.map((der) => Buffer.from(der, 'base64')));
}

function secret(name: string, certificates: readonly string[], also: readonly string[] = []): DialectResource {
  return sealed(envoyTypeUrls.secret, Secret, name, [certificates, also], () => trustSecret(name, pemOf(certificates)));
}
