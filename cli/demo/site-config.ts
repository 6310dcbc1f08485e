import { stringify } from 'yaml';

export interface SiteConfig {
  readonly cluster: string;
  /** Folder of the cluster's state, files and root. */
  readonly folder: string;
  /** This cluster holds the root of the trust domain. */
  readonly root: boolean;
  /** Fixed, as agents and the peer come back to it after a restart. */
  readonly grpcPort: number;
  readonly portRange: readonly [number, number];
  /** Of the user's own, read-only. */
  readonly registries: readonly OwnRegistry[];
}

export type OwnRegistry =
  | { readonly type: 'consul' | 'nomad'; readonly url: string; readonly tokenFile?: string }
  | { readonly type: 'kubernetes'; readonly kubeconfig: string };

export const trustDomain = 'demo.test';

const kind = (name: string, spec: object, metadata: object) => ({ apiVersion: 'isthmus.dev/v1alpha1', kind: name, metadata, spec });

/** isthmus.yaml of one demonstration cluster: everything on loopback, on free ports. */
export function siteConfig(site: SiteConfig): string {
  const { cluster, folder } = site;
  const mesh = kind(
    'Mesh',
    {
      cluster,
      trustDomain,
      network: cluster,
      stateDir: `${folder}/state`,
      grpc: { listen: `127.0.0.1:${site.grpcPort}` },
      api: { listen: '127.0.0.1:0' },
      health: { listen: '127.0.0.1:0' },
      ...(site.root ? { identity: { rootDir: `${folder}/root` } } : {}),
      originate: { portRange: `${site.portRange[0]}-${site.portRange[1]}`, sources: [{ name: 'this-machine', cidrs: ['127.0.0.0/8'] }] },
    },
    { name: cluster },
  );
  const files = kind(
    'Registry',
    { type: 'file', connection: { path: `${folder}/services` }, mapping: { claims: ['*/*'], protocol: 'http' } },
    { name: 'services' },
  );
  const exported = kind('ExportPolicy', { services: ['*/*'], audience: ['*'] }, { name: 'everything', namespace: '*' });
  return [mesh, files, ...site.registries.map(ownRegistry), exported].map((object) => stringify(object)).join('---\n');
}

function ownRegistry(registry: OwnRegistry): object {
  const connection =
    registry.type === 'kubernetes'
      ? { kubeconfig: registry.kubeconfig }
      : { url: registry.url, ...(registry.tokenFile === undefined ? {} : { tokenFile: registry.tokenFile }) };
  const mapping = { claims: ['*/*'], protocol: 'http', ...(registry.type === 'kubernetes' ? { namespaceFrom: 'native' } : {}) };
  return kind('Registry', { type: registry.type, connection, publish: false, mapping }, { name: `own-${registry.type}` });
}

/** A ServiceEntry of the file registry, with its endpoints on loopback. */
export function serviceEntry(namespace: string, name: string, port: number, endpoints: readonly number[]): string {
  return stringify({
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name, namespace },
    spec: {
      hosts: [`${name}.${namespace}.mesh.internal`],
      ports: [{ number: port, name: 'http', protocol: 'HTTP' }],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      endpoints: endpoints.map((at) => ({ address: '127.0.0.1', ports: { http: at } })),
    },
  });
}

/** The rights that the user's own registries need to give; printed, never asked for silently. */
export function rightsNeeded(registry: OwnRegistry): readonly string[] {
  switch (registry.type) {
    case 'consul':
      return [
        'Consul ACL policy (read only), its token in CONSUL_HTTP_TOKEN:',
        '  node_prefix "" { policy = "read" }',
        '  service_prefix "" { policy = "read" }',
      ];
    case 'nomad':
      return [
        'Nomad ACL policy (read only), its token in NOMAD_TOKEN:',
        '  namespace "*" { capabilities = ["list-jobs", "read-job"] }',
        '  node { policy = "read" }',
      ];
    case 'kubernetes':
      return [
        'Kubernetes RBAC (read only): get, list, watch on',
        '  services, pods, nodes (core) and endpointslices (discovery.k8s.io); see deploy/kubernetes/rbac.yaml',
      ];
  }
}
