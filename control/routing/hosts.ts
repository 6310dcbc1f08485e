import { clusterSetHost, meshHost, type ServiceKey, serviceKey, splitServiceKey } from '../../core/model/index.ts';

/**
 * What a host means, before anybody knows which services there are: the key of a mesh service (`NAMESPACE/NAME`), or a DNS name that
 * only a ServiceEntry can give a meaning to. Of two labels it may be either, so it has both.
 */
export type HostKey = ServiceKey | string;

const kubernetesSuffixes = ['svc.cluster.local', 'svc.clusterset.local', 'svc'];

/** Of a host without wildcard. A short name is one in the namespace of the object that says it (Istio's rule). */
export function hostKeys(host: string, namespace: string, hostSuffix: string): readonly HostKey[] {
  const name = host.toLowerCase().replace(/\.$/, '');
  if (!name.includes('.')) return [serviceKey(namespace, name)];
  for (const suffix of [hostSuffix, ...kubernetesSuffixes]) {
    if (!name.endsWith(`.${suffix}`)) continue;
    const labels = name.slice(0, -suffix.length - 1).split('.');
    if (labels.length === 2) return [serviceKey(labels[1] ?? '', labels[0] ?? '')];
  }
  const labels = name.split('.');
  return labels.length === 2 ? [name, serviceKey(labels[1] ?? '', labels[0] ?? '')] : [name];
}

export function isWildcard(host: string): boolean {
  return host.startsWith('*');
}

/** Whether a wildcard (`*`, `*.SUFFIX`) covers one of a service's names; `entryHosts` are those that ServiceEntries give it. */
export function coversService(pattern: string, key: ServiceKey, entryHosts: readonly string[], hostSuffix: string): boolean {
  const suffix = pattern.slice(1).toLowerCase();
  return [...fullNames(key, hostSuffix), ...entryHosts].some((host) => host.endsWith(suffix));
}

function fullNames(key: ServiceKey, hostSuffix: string): readonly string[] {
  const service = splitServiceKey(key);
  return [meshHost(service, hostSuffix), clusterSetHost(service), `${service.name}.${service.namespace}.svc.cluster.local`];
}

/** The more, the more specific: exact names over wildcards, longer wildcards over shorter. */
export function specificity(host: string): number {
  return isWildcard(host) ? host.length : Number.MAX_SAFE_INTEGER;
}

/** Both name some host in common: the narrower of the two, or undefined. `*` and the empty text are any host. */
export function intersectHosts(a: string, b: string): string | undefined {
  const [one, other] = [a === '' ? '*' : a.toLowerCase(), b === '' ? '*' : b.toLowerCase()];
  if (one === other || covers(other, one)) return one;
  return covers(one, other) ? other : undefined;
}

function covers(pattern: string, host: string): boolean {
  return isWildcard(pattern) && host.endsWith(pattern.slice(1)) && host.length >= pattern.length;
}
