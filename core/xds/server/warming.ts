import { Cluster, Cluster_DiscoveryType } from '../gen/envoy/config/cluster/v3/cluster.ts';
import { ClusterLoadAssignment } from '../gen/envoy/config/endpoint/v3/endpoint.ts';
import type { EncodedResource } from '../resource-source.ts';
import { envoyTypeUrls } from '../type-urls.ts';

const known = new WeakMap<EncodedResource, string | undefined>();

/** The endpoints that a cluster warms with, by their name; undefined: it has its endpoints from elsewhere. Read once a resource. */
export function endpointsOf(cluster: EncodedResource): string | undefined {
  if (known.has(cluster)) return known.get(cluster);
  const name = read(cluster);
  known.set(cluster, name);
  return name;
}

function read({ name, value }: EncodedResource): string | undefined {
  try {
    const { clusterDiscoveryType: type, edsClusterConfig: config } = Cluster.decode(value);
    if (type?.$case !== 'type' || type.value !== Cluster_DiscoveryType.EDS) return undefined;
    return config === undefined || config.serviceName === '' ? name : config.serviceName;
  } catch {
    return undefined;
  }
}

/**
 * The answer to somebody who asks by name for what is not there, in state of the world, which has no words for it. No endpoints are
 * the same as an assignment without any, and Envoy waits for one with everything that concerns clusters.
 */
export function absentResource(typeUrl: string, name: string): EncodedResource | undefined {
  if (typeUrl !== envoyTypeUrls.loadAssignment) return undefined;
  return { name, version: '', value: ClusterLoadAssignment.encode(ClusterLoadAssignment.create({ clusterName: name })).finish() };
}
