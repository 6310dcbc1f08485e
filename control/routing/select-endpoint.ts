import type { MigrationSide } from '../../core/config/index.ts';
import type { SelectEndpoint, SourceSelector, Subset } from './contract.ts';

type Endpoint = Parameters<SelectEndpoint>[1];

/** What the mesh knows of an endpoint better than its registry, then its own labels, then what its locality says. */
export const selectEndpoint: SelectEndpoint = (labels, endpoint) =>
  Object.entries(labels).every(([key, value]) => has(endpoint, key, value));

interface Selector extends Pick<Subset, 'labels'> {
  readonly source?: SourceSelector | undefined;
}

/** Whether an endpoint belongs to a subset. */
export function belongsTo({ labels, source }: Selector, endpoint: Endpoint): boolean {
  if (source === undefined) return selectEndpoint(labels, endpoint);
  const { of, but } = source;
  return isKnownTo(of, endpoint) && (but === undefined || !isKnownTo(but, endpoint)) && selectEndpoint(labels, endpoint);
}

/** Whether that source speaks of it, be it as one of several. */
export function isKnownTo({ cluster, registry }: MigrationSide, endpoint: Endpoint): boolean {
  if (endpoint.cluster === cluster && endpoint.source === registry) return true;
  return endpoint.provenance.some((each) => each.cluster === cluster && each.source === registry);
}

/** A label's value holds no slash: `consul/dc1` may be written `consul.dc1`. */
function isNamed(source: string, value: string): boolean {
  return source === value || source.replaceAll('/', '.') === value;
}

function has(endpoint: Endpoint, key: string, value: string): boolean {
  switch (key) {
    case 'isthmus.dev/runtime':
      return endpoint.runtime === value;
    case 'isthmus.dev/cluster':
      return endpoint.cluster === value;
    case 'isthmus.dev/network':
      return endpoint.network === value;
    case 'isthmus.dev/registry':
      return isNamed(endpoint.source, value) || endpoint.provenance.some(({ source }) => isNamed(source, value));
    default:
      return (Object.hasOwn(endpoint.labels, key) ? endpoint.labels[key] : ofPlace(endpoint, key)) === value;
  }
}

function ofPlace(endpoint: Endpoint, key: string): string | undefined {
  switch (key) {
    case 'topology.kubernetes.io/region':
      return endpoint.locality.region;
    case 'topology.kubernetes.io/zone':
      return endpoint.locality.zone;
    case 'topology.istio.io/subzone':
      return endpoint.locality.subzone;
    case 'topology.istio.io/cluster':
      return endpoint.cluster;
    case 'topology.istio.io/network':
      return endpoint.network;
    default:
      return undefined;
  }
}
