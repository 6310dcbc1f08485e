/** A string that only its own parser makes, so that a cluster is never passed where a network is wanted. */
type Brand<T extends string> = string & { readonly __brand: T };

/** One Isthmus control plane with the registries it watches; DNS label. */
export type ClusterId = Brand<'ClusterId'>;
/** One connection to one registry, `consul/dc1`; unique within its cluster. */
export type SourceId = Brand<'SourceId'>;
/** A set of addresses that reach each other directly. */
export type NetworkId = Brand<'NetworkId'>;
/** `NAMESPACE/NAME` of a service. */
export type ServiceKey = Brand<'ServiceKey'>;
/** `CLUSTER/SOURCE/INSTANCE` of an endpoint. */
export type EndpointKey = Brand<'EndpointKey'>;

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** RFC 1123 label: what names of clusters, namespaces and services must be, as they all become parts of DNS names. */
export function isDnsLabel(text: string): boolean {
  return label.test(text);
}

/** Unchecked: for values that a parser has checked already, and for tests. */
export const clusterId = (text: string): ClusterId => text as ClusterId;
export const sourceId = (text: string): SourceId => text as SourceId;
export const networkId = (text: string): NetworkId => text as NetworkId;

export function serviceKey(namespace: string, name: string): ServiceKey {
  return `${namespace}/${name}` as ServiceKey;
}

export function splitServiceKey(key: ServiceKey): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export function endpointKey(cluster: ClusterId, source: SourceId, instance: string): EndpointKey {
  return `${cluster}/${source}/${instance}` as EndpointKey;
}
