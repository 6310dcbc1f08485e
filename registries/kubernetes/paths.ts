import type { PublishedKind } from './published-objects.ts';

/** Of a collection; an empty namespace: of all namespaces. */
export function pathOf(kind: PublishedKind, namespace: string): string {
  const within = namespace === '' ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return kind === 'Service' ? `/api/v1${within}/services` : `/apis/discovery.k8s.io/v1${within}/endpointslices`;
}
