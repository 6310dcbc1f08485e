import { type ServiceKey, serviceKey } from '../../core/model/index.ts';
import type { CatalogEndpoint, CatalogView, MergedService } from '../catalog/index.ts';

export interface Subject {
  readonly key: ServiceKey;
  readonly service: MergedService | undefined;
  /** Set when the text named one instance. */
  readonly endpoint?: CatalogEndpoint;
  /** Set when the text said a port. */
  readonly port?: number;
}

const clusterSet = 'svc.clusterset.local';

/** NAMESPACE/NAME, NAME.NAMESPACE.SUFFIX[:PORT], or an instance; undefined for what is none of these. */
export function findSubject(text: string, view: CatalogView, hostSuffix: string): Subject | undefined {
  const [name = '', portText] = text.split(':');
  const port = portText === undefined ? {} : { port: Number(portText) };
  const slash = /^([a-z0-9-]+)\/([a-z0-9-]+)$/.exec(name);
  if (slash !== null) return withService(serviceKey(slash[1] ?? '', slash[2] ?? ''), view, port);
  for (const suffix of [hostSuffix, clusterSet]) {
    if (!name.endsWith(`.${suffix}`)) continue;
    const [service = '', namespace = '', ...more] = name.slice(0, -suffix.length - 1).split('.');
    if (more.length === 0 && namespace !== '') return withService(serviceKey(namespace, service), view, port);
  }
  for (const service of view.services.values()) {
    const endpoint = service.endpoints.find((e) => e.instance === name || e.key === name);
    if (endpoint !== undefined) return { key: service.key, service, endpoint, ...port };
  }
  return undefined;
}

function withService(key: ServiceKey, view: CatalogView, port: { readonly port?: number }): Subject {
  return { key, service: view.services.get(key), ...port };
}
