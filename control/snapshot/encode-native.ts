import { createHash } from 'node:crypto';
import type { AccessLogging, SideLogging } from '../../core/access-log/index.ts';
import type { Protocol } from '../../core/model/index.ts';
import type { Routing } from '../../core/traffic/index.ts';
import { native, nativeRouting, nativeTypeUrls } from '../../core/xds/index.ts';
import { type Dialect, type DialectResource, lazyResource, meshOwner } from './dialect.ts';
import { assignmentMessage } from './encode-native-assignment.ts';
import { authzMessage } from './encode-native-authz.ts';
import { ingressMessage, routingMessage } from './encode-native-routing.ts';
import { trafficMessage } from './encode-native-traffic.ts';
import type { AssignmentIr, AuthzIr, BundleIr, ClusterIr, ListenerIr, Resource, ResourceKind, RouteIr, TunnelGatewayIr } from './ir.ts';

/** `inbound` is not carried: our own mTLS end takes any subset. */
const nativeTypeUrlOf: Readonly<Partial<Record<ResourceKind, string>>> = {
  bundle: nativeTypeUrls.bundle,
  cluster: nativeTypeUrls.cluster,
  endpoints: nativeTypeUrls.loadAssignment,
  listener: nativeTypeUrls.listener,
  route: nativeTypeUrls.route,
  authz: nativeTypeUrls.authz,
  routing: nativeTypeUrls.routing,
  tunnelGateway: nativeTypeUrls.tunnelGateway,
};

const protocols: Readonly<Record<Protocol, native.Protocol>> = {
  tcp: native.Protocol.TCP,
  http: native.Protocol.HTTP,
  http2: native.Protocol.HTTP2,
  grpc: native.Protocol.GRPC,
  tls: native.Protocol.TLS,
};

const made = new WeakMap<Resource, DialectResource>();

/** For our own gateways and agents: each resource as it is. Encoded once for each sealed resource, whoever and however many get it. */
export const nativeDialect: Dialect = {
  name: 'native',
  typeUrls: [...Object.values(nativeTypeUrlOf), nativeTypeUrls.telemetry],
  openTypes: [nativeTypeUrls.authz],
  translate: (owner, resources, { logging }) => [
    ...resources.filter((r) => nativeTypeUrlOf[r.kind] !== undefined).map(encodeNative),
    ...(owner === meshOwner && logging !== undefined ? [telemetry(logging)] : []),
  ],
};

const telemetryName = 'telemetry';

/** Few, and each for a class of its own: made where the class is. */
function telemetry(logging: AccessLogging): DialectResource {
  const side = ({ enabled, filter = '' }: SideLogging) => ({ disabled: !enabled, filter });
  const value = { name: telemetryName, client: side(logging.client), server: side(logging.server) };
  return lazyResource(
    nativeTypeUrls.telemetry,
    telemetryName,
    createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32),
    () => native.Telemetry.encode(value).finish(),
  );
}

export function encodeNative(resource: Resource): DialectResource {
  const known = made.get(resource);
  if (known !== undefined) return known;
  const encoded = lazyResource(nativeTypeUrlOf[resource.kind] ?? '', resource.name, resource.version, () => bytesOf(resource));
  made.set(resource, encoded);
  return encoded;
}

function bytesOf(resource: Resource): Uint8Array {
  const { name, value } = resource;
  switch (resource.kind) {
    case 'listener':
      return native.Listener.encode(listener(name, value as ListenerIr)).finish();
    case 'route':
      return native.Route.encode(route(name, value as RouteIr)).finish();
    case 'cluster':
      return native.Cluster.encode(cluster(name, value as ClusterIr)).finish();
    case 'endpoints':
      return native.LoadAssignment.encode(assignmentMessage(name, value as AssignmentIr)).finish();
    case 'bundle':
      return native.Bundle.encode(bundle(name, value as BundleIr)).finish();
    case 'authz':
      return native.Authz.encode(authzMessage(name, value as AuthzIr)).finish();
    case 'routing':
      return nativeRouting.Routing.encode(routingMessage(name, value as Routing)).finish();
    case 'tunnelGateway':
      return native.TunnelGateway.encode(tunnelGateway(name, value as TunnelGatewayIr)).finish();
    case 'inbound':
      return new Uint8Array();
  }
}

function listener(name: string, ir: ListenerIr): native.Listener {
  if (ir.type === 'ingress') return { name, kind: { $case: 'ingress', value: ingressMessage(ir) } };
  if (ir.type === 'originate') {
    const { port, cluster: clusterName, allowedCidrs, namespace, service, routing: routingName = '' } = ir;
    const value = { port, protocol: protocols[ir.protocol], clusterName, allowedCidrs: [...allowedCidrs], namespace, service, routingName };
    return { name, kind: { $case: 'originate', value } };
  }
  const ports = ir.ports.map((p) => ({
    port: p.port,
    name: p.name,
    protocol: protocols[p.protocol],
    clusterName: p.cluster,
    routingName: p.routing ?? '',
  }));
  return { name, kind: { $case: 'service', value: { namespace: ir.namespace, service: ir.service, hosts: [...ir.hosts], ports } } };
}

function route(name: string, ir: RouteIr): native.Route {
  const mode = ir.mode === 'passthrough' ? native.Route_Mode.PASSTHROUGH : native.Route_Mode.TERMINATE;
  return { name, mode, clusterName: ir.cluster, protocol: protocols[ir.protocol], authzName: ir.authz };
}

function tunnelGateway(name: string, { network, addresses, port, uriSans, clusterSan, draining }: TunnelGatewayIr): native.TunnelGateway {
  return { name, network, addresses: [...addresses], port, tls: { sni: '', uriSans: [...uriSans], clusterSan }, draining };
}

function cluster(name: string, ir: ClusterIr): native.Cluster {
  const traffic = ir.traffic === undefined ? undefined : trafficMessage(ir.traffic);
  const guarded = traffic?.tls !== undefined;
  const ports = { port: guarded ? 0 : ir.port, guardedPort: guarded ? ir.port : 0 };
  return { ...ir, name, protocol: protocols[ir.protocol], traffic, ...ports };
}

function bundle(trustDomain: string, ir: BundleIr): native.Bundle {
  return native.Bundle.fromPartial({
    trustDomain,
    roots: ir.roots.map((der) => Buffer.from(der, 'base64')),
    intermediates: ir.intermediates.map((i) => ({ cluster: i.cluster, certificate: Buffer.from(i.certificate, 'base64') })),
    deniedSerials: [...ir.deniedSerials],
    hostSuffix: ir.hostSuffix,
    ...(ir.federated === true ? { federated: true } : {}),
    signingRoot: Buffer.from(ir.signingRoot ?? '', 'base64'),
    jwtKeys: (ir.jwtKeys ?? []).map((key) => ({
      ...key,
      publicKey: Buffer.from(key.publicKey, 'base64'),
      namespaces: [...key.namespaces],
    })),
  });
}
