import { createRequire } from 'node:module';
import { envoyTypeUrls } from '../../core/xds/index.ts';

/** What @grpc/grpc-js-xds itself makes of a bootstrap and of resources: its own decoders, as its client calls them. */
const require = createRequire(import.meta.url);
// As a server that our Listeners are for; read when the module is loaded.
process.env['GRPC_XDS_EXPERIMENTAL_RBAC'] = 'true';
(require('@grpc/grpc-js-xds') as { register(): void }).register();
const part = (path: string) => require(`@grpc/grpc-js-xds/build/src/${path}.js`) as Record<string, unknown>;

interface Decoder {
  decode(context: object, any: { type_url: string; value: Buffer }): { name: string; value?: unknown; error?: string };
}
const decoder = (path: string, name: string) => (part(`xds-resource-type/${path}`)[name] as { get(): Decoder }).get();

const { validateBootstrapConfig } = part('xds-bootstrap') as { validateBootstrapConfig(json: unknown): Bootstrap };
const { parseConfig } = part('rbac') as { parseConfig(rbac: unknown): { apply(info: object): boolean } };

export interface Bootstrap {
  readonly node: { readonly id: string; readonly locality: object };
  readonly certificateProviders: Readonly<Record<string, { readonly pluginName: string }>>;
  readonly serverListenerResourceNameTemplate: string | null;
}

/** Throws its own error. */
export const readBootstrap = (json: unknown): Bootstrap => validateBootstrapConfig(JSON.parse(JSON.stringify(json)));

/** The value as its client keeps it, or its error. */
export function decodeAs(
  bootstrap: Bootstrap,
  resource: { typeUrl: string; value: Uint8Array },
): { name: string; value?: unknown; error?: string } {
  const decoders: Readonly<Record<string, Decoder>> = {
    [envoyTypeUrls.cluster]: decoder('cluster-resource-type', 'ClusterResourceType'),
    [envoyTypeUrls.loadAssignment]: decoder('endpoint-resource-type', 'EndpointResourceType'),
    [envoyTypeUrls.listener]: decoder('listener-resource-type', 'ListenerResourceType'),
    [envoyTypeUrls.route]: decoder('route-config-resource-type', 'RouteConfigurationResourceType'),
  };
  const found = decoders[resource.typeUrl];
  if (found === undefined) throw new Error(`no decoder for ${resource.typeUrl}`);
  return found.decode({ bootstrap, server: {} }, { type_url: resource.typeUrl, value: Buffer.from(resource.value) });
}

/** Whether its RBAC, of action ALLOW, lets a caller with this subjectAltName in. `policies` in our generated form. */
export function rbacAllows(rbac: unknown, subjectaltname: string): boolean {
  const peerCertificate = { subjectaltname, subject: {} };
  return parseConfig(rbac).apply({
    tls: true,
    peerCertificate,
    sourceIp: '10.0.0.1',
    destinationIp: '10.0.0.2',
    destinationPort: 1,
    urlPath: '/',
  });
}
