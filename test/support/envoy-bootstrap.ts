import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { packed } from '../../core/xds/envoy/any.ts';
import { Cluster, Cluster_DiscoveryType } from '../../core/xds/gen/envoy/config/cluster/v3/cluster.ts';
import { Node, type TransportSocket } from '../../core/xds/gen/envoy/config/core/v3/base.ts';
import { ApiConfigSource, ApiConfigSource_ApiType, ApiVersion } from '../../core/xds/gen/envoy/config/core/v3/config_source.ts';
import { TypedExtensionConfig } from '../../core/xds/gen/envoy/config/core/v3/extension.ts';
import { ClusterLoadAssignment } from '../../core/xds/gen/envoy/config/endpoint/v3/endpoint.ts';
import { Listener } from '../../core/xds/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../core/xds/gen/envoy/config/route/v3/route.ts';
import { HttpConnectionManager } from '../../core/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { Secret } from '../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret.ts';
import { UpstreamTlsContext } from '../../core/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import { envoyTypeUrls, type ResourceSet } from '../../core/xds/index.ts';

/**
 * All that xDS would hand over as one static configuration, in its binary form, for `--mode validate`: clusters with their endpoints in
 * them, as well as they came; routes in a listener of their own. Names are prefixed, so that several sets go into one run.
 * `secrets`: what clusters refer to. A static one that asks for them over ADS crashes Envoy in this mode.
 */
export function staticBootstrap(sets: readonly (readonly [prefix: string, set: ResourceSet])[], secrets: readonly Secret[]): Uint8Array {
  const writer = new BinaryWriter();
  Node.encode(Node.create({ id: 'validate', cluster: 'validate' }), writer.uint32(tag(1)).fork()).join();
  const resources = writer.uint32(tag(2)).fork();
  let port = 20_000;
  for (const [prefix, set] of sets) {
    for (const { value } of set.get(envoyTypeUrls.listener)?.values() ?? []) {
      const listener = Listener.decode(value);
      const name = listener.listenerSpecifier === undefined ? `${prefix} ${listener.name}` : listener.name;
      writeListener(resources, { ...listener, name }, port++);
    }
    for (const { value } of set.get(envoyTypeUrls.route)?.values() ?? []) {
      writeListener(resources, routeListener(`${prefix} route`, RouteConfiguration.decode(value)), port++);
    }
    for (const cluster of clustersOf(prefix, set)) Cluster.encode(cluster, resources.uint32(tag(2)).fork()).join();
    for (const { value } of set.get(envoyTypeUrls.secret)?.values() ?? []) {
      const secret = Secret.decode(value);
      Secret.encode({ ...secret, name: `${prefix} ${secret.name}` }, resources.uint32(tag(3)).fork()).join();
    }
  }
  for (const secret of secrets) Secret.encode(secret, resources.uint32(tag(3)).fork()).join();
  for (const name of ['isthmus-agent', 'isthmus-control']) Cluster.encode(management(name), resources.uint32(tag(2)).fork()).join();
  resources.join();
  const dynamic = writer.uint32(tag(3)).fork();
  ApiConfigSource.encode(ads, dynamic.uint32(tag(3)).fork()).join();
  dynamic.join();
  const typed = { typeUrl: 'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener', value: Buffer.alloc(0) };
  const extension = TypedExtensionConfig.create({ name: 'envoy.bootstrap.internal_listener', typedConfig: typed });
  TypedExtensionConfig.encode(extension, writer.uint32(tag(21)).fork()).join();
  return writer.finish();
}

const tag = (field: number) => (field << 3) | 2;

const ads = ApiConfigSource.create({
  apiType: ApiConfigSource_ApiType.DELTA_GRPC,
  transportApiVersion: ApiVersion.V3,
  grpcServices: [{ targetSpecifier: { $case: 'envoyGrpc', value: { clusterName: 'isthmus-control' } } }],
});

function management(name: string): Cluster {
  return Cluster.create({
    name,
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.STATIC },
    loadAssignment: { clusterName: name },
  });
}

function writeListener(writer: BinaryWriter, listener: Listener, port: number): void {
  if (listener.address?.address?.$case === 'socketAddress') {
    listener.address.address.value.portSpecifier = { $case: 'portValue', value: port };
  }
  Listener.encode(listener, writer.uint32(tag(1)).fork()).join();
}

function routeListener(name: string, routes: RouteConfiguration): Listener {
  const config = HttpConnectionManager.create({ statPrefix: 'routes', routeSpecifier: { $case: 'routeConfig', value: routes } });
  const type = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const manager = HttpConnectionManager.create({
    ...config,
    httpFilters: [
      {
        name: 'envoy.filters.http.router',
        configType: {
          $case: 'typedConfig',
          value: { typeUrl: 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router', value: Buffer.alloc(0) },
        },
      },
    ],
  });
  return Listener.create({
    name,
    address: {
      address: { $case: 'socketAddress', value: { address: '127.0.0.1', portSpecifier: { $case: 'portValue', value: 1 } } },
    },
    filterChains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            configType: { $case: 'typedConfig', value: packed(type, HttpConnectionManager, manager) },
          },
        ],
      },
    ],
  });
}

function* clustersOf(prefix: string, set: ResourceSet): Iterable<Cluster> {
  for (const { value } of set.get(envoyTypeUrls.cluster)?.values() ?? []) {
    const cluster = withStaticSecrets(Cluster.decode(value));
    yield { ...cluster, name: `${prefix} ${cluster.name}` };
    const assignment = set.get(envoyTypeUrls.loadAssignment)?.get(cluster.edsClusterConfig?.serviceName || cluster.name);
    if (assignment === undefined) continue;
    yield Cluster.create({
      ...cluster,
      name: `${prefix} static ${cluster.name}`,
      clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.STATIC },
      edsClusterConfig: undefined,
      loadAssignment: ClusterLoadAssignment.decode(assignment.value),
    });
  }
}

function withStaticSecrets(cluster: Cluster): Cluster {
  const matches = cluster.transportSocketMatches.map((m) => ({ ...m, transportSocket: staticSecrets(m.transportSocket) }));
  return { ...cluster, transportSocketMatches: matches, transportSocket: staticSecrets(cluster.transportSocket) };
}

function staticSecrets(socket: TransportSocket | undefined): TransportSocket | undefined {
  const any = socket?.configType?.value;
  if (socket === undefined || any === undefined || !any.typeUrl.endsWith('.UpstreamTlsContext')) return socket;
  const context = UpstreamTlsContext.decode(any.value);
  const common = context.commonTlsContext;
  for (const secret of common?.tlsCertificateSdsSecretConfigs ?? []) secret.sdsConfig = undefined;
  const validation = common?.validationContextType;
  const sds = validation?.$case === 'combinedValidationContext' ? validation.value.validationContextSdsSecretConfig : undefined;
  if (sds !== undefined) sds.sdsConfig = undefined;
  const value = { ...any, value: Buffer.from(UpstreamTlsContext.encode(context).finish()) };
  return { ...socket, configType: { $case: 'typedConfig', value } };
}
