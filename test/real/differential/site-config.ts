import { trustDomain } from './isthmus.ts';

export interface SiteConfig {
  readonly cluster: string;
  readonly folder: string;
  readonly ports: { readonly grpc: number; readonly api: number; readonly health: number };
  /** This cluster holds the root of the trust domain. */
  readonly root: boolean;
  /** Globs of NAMESPACE/NAME that every peer may see. */
  readonly exports: readonly string[];
  /** The other cluster, and the namespaces whose identities it may present here. */
  readonly peer: { readonly cluster: string; readonly namespaces: readonly string[] };
  /** Inclusive; where its gateways listen for callers without a sidecar. */
  readonly originatePorts: readonly [number, number];
  /** Of SVIDs, such as `60s`; the program's own unless said. */
  readonly svidTtl?: string;
  /** YAML of services without a sidecar. */
  readonly services?: string;
}

/** isthmus.yaml of one cluster: everything on loopback, on the ports given. */
export function siteConfig({ cluster, folder, ports, root, exports, peer, originatePorts, svidTtl }: SiteConfig): string {
  const identity = { ...(root ? { rootDir: `${folder}/root` } : {}), ...(svidTtl === undefined ? {} : { svidTtl }) };
  return `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: ${cluster}}
spec:
  cluster: ${cluster}
  trustDomain: ${trustDomain}
  network: ${cluster}
  stateDir: ${folder}/state
  grpc: {listen: "127.0.0.1:${ports.grpc}"}
  api: {listen: "127.0.0.1:${ports.api}"}
  health: {listen: "127.0.0.1:${ports.health}"}
${Object.keys(identity).length === 0 ? '' : `  identity: ${JSON.stringify(identity)}\n`}  originate:
    portRange: ${originatePorts.join('-')}
    sources: [{name: this-machine, cidrs: [127.0.0.0/8]}]
---
apiVersion: isthmus.dev/v1alpha1
kind: Registry
metadata: {name: services}
spec:
  type: file
  connection: {path: ${folder}/services}
  mapping: {claims: ["*/*"], protocol: http}
---
apiVersion: isthmus.dev/v1alpha1
kind: ExportPolicy
metadata: {name: exported, namespace: "*"}
spec: {services: ${JSON.stringify(exports)}, audience: ["*"]}
---
apiVersion: isthmus.dev/v1alpha1
kind: Peer
metadata: {name: ${peer.cluster}}
spec: {cluster: ${peer.cluster}, namespaces: ${JSON.stringify(peer.namespaces)}}
`;
}

export interface PlainService {
  readonly name: string;
  readonly ports: readonly { readonly number: number; readonly name: string; readonly protocol: 'HTTP' | 'GRPC' | 'HTTP2' | 'TCP' }[];
  /** Port name → port of 127.0.0.1. */
  readonly endpoints: readonly {
    readonly ports: Readonly<Record<string, number>>;
    readonly health?: 'draining' | 'unhealthy';
    readonly network?: string;
  }[];
}

/** A ServiceEntry of namespace `shop`, with its endpoints on loopback. */
export function serviceEntry({ name, ports, endpoints }: PlainService): string {
  const spec = {
    hosts: [`${name}.shop.mesh.internal`],
    ports,
    location: 'MESH_INTERNAL',
    resolution: 'STATIC',
    endpoints: endpoints.map(({ ports: at, health, network }) => ({
      address: '127.0.0.1',
      ports: at,
      ...(network === undefined ? {} : { network }),
      ...(health === undefined ? {} : { labels: { 'isthmus.dev/health': health } }),
    })),
  };
  const metadata = { name, namespace: 'shop' };
  return `---\n${JSON.stringify({ apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry', metadata, spec })}\n`;
}
