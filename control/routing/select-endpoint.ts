import type { SelectEndpoint } from './contract.ts';

type Endpoint = Parameters<SelectEndpoint>[1];

/** What the mesh knows of an endpoint better than its registry, then its own labels, then what its locality says. */
export const selectEndpoint: SelectEndpoint = (labels, endpoint) =>
  Object.entries(labels).every(([key, value]) => has(endpoint, key, value));

function has(endpoint: Endpoint, key: string, value: string): boolean {
  switch (key) {
    case 'isthmus.dev/runtime':
      return endpoint.runtime === value;
    case 'isthmus.dev/cluster':
      return endpoint.cluster === value;
    case 'isthmus.dev/network':
      return endpoint.network === value;
    case 'isthmus.dev/registry':
      // A label's value holds no slash: `consul/dc1` may be written `consul.dc1`.
      return endpoint.source === value || endpoint.source.replaceAll('/', '.') === value;
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
