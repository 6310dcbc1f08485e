import { endpoint } from '../../support/mesh-records.ts';
import { changeOrders, type MigrationScene, migrationOf } from '../../support/preflight-scene.ts';

/** Pieces that wrong migrations are made of. */

const registryOf = (scene: MigrationScene, id: string) => {
  const found = scene.registries[id];
  if (found === undefined) throw new Error(`no ${id}`);
  return found;
};
export const prod = (scene: MigrationScene) => registryOf(scene, 'kubernetes/prod');
export const dc1 = (scene: MigrationScene) => registryOf(scene, 'consul/dc1');
export const pod = (name: string, more: Parameters<typeof endpoint>[1] = {}) =>
  endpoint(name, { network: 'pods', address: '10.1.0.1', runtime: 'kubernetes', ...more });
export const allow = (name: string, selector: object, principals: readonly string[]) => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name, namespace: 'shop' },
  spec: { selector: { matchLabels: selector }, action: 'ALLOW', rules: [{ from: [{ source: { principals } }] }] },
});

export function changeStock(scene: MigrationScene): void {
  const there = dc1(scene);
  there.services = there.services.map((s) => (s.name === 'stock' ? { ...s, labels: { app: 'stock' } } : s));
}
export const istio = (kind: string, name: string, spec: object) => ({
  apiVersion: 'networking.istio.io/v1',
  kind,
  metadata: { name, namespace: 'shop' },
  spec,
});
export const subsets = istio('DestinationRule', 'orders', { host: 'orders', subsets: [{ name: 'v1', labels: { version: 'v1' } }] });
export const routed = (name: string, http: object) => istio('VirtualService', name, { hosts: ['orders'], http: [http] });
export const to = (host: string, more: object = {}) => ({ destination: { host, ...more } });
export const asTcp = (scene: MigrationScene) => {
  for (const id of ['consul/dc1', 'kubernetes/prod'])
    changeOrders(scene, id, () => ({ ports: [{ name: 'http', port: 80, protocol: 'tcp' }] }));
  scene.seen = { seconds: 3_600, requests: 0, connections: 180_000, errors: 0, p50: null, p90: null, p99: null, inFlight: null };
};
export const errors = { name: 'errors', type: 'errorRate', max: '1%' };
export const prometheus = (more: object) => [
  errors,
  { name: 'own', type: 'prometheus', url: 'http://prometheus:9090', query: 'x{service="$service"}', max: 1, ...more },
];
export const put = (
  scene: MigrationScene,
  name: string,
  more: { service?: string; phase?: string; weight?: number; dependsOn?: readonly string[] } = {},
) => {
  const { service: moved = name, phase, weight = 0, dependsOn = [] } = more;
  const spec = { ...migrationOf({ service: moved }), dependsOn };
  scene.migrations = [
    ...scene.migrations,
    { namespace: 'shop', name, spec, ...(phase === undefined ? {} : { phase: phase as 'done', weight }) },
  ];
};
export const slow = (scene: MigrationScene) => {
  scene.seen = { seconds: 3_600, requests: 3_600, connections: 0, errors: 0, p50: 12, p90: 40, p99: 95, inFlight: 1 };
};
