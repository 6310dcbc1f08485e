/**
 * How records that Isthmus wrote into a registry are told from everybody else's, so that they are never imported again
 * (by this or any other cluster) and never overwritten by another owner.
 */

/** Meta key (Consul, on node and service) or label (Kubernetes) of every record that Isthmus writes: `CLUSTER.SOURCE`. */
export const ownerKey = 'isthmus.dev/owner';

/** `CLUSTER.SOURCE`, with what a Kubernetes label value may not hold replaced: 63 characters of [A-Za-z0-9._-] at most. */
export function ownerOf(cluster: string, source: string): string {
  const text = `${cluster}.${source}`.replace(/[^A-Za-z0-9._-]/g, '_');
  return text.slice(0, 63).replace(/[^A-Za-z0-9]+$/, '');
}

/** The Consul node that carries what `cluster` publishes. */
export function publishedNodeName(cluster: string): string {
  return `isthmus-${cluster}`;
}

/** The native name of an imported service. */
export function publishedName(service: { readonly namespace: string; readonly name: string }): string {
  return `${service.name}-mesh`;
}

/** Whether Isthmus itself wrote a record that carries these meta entries or labels. */
export function isMeshOwned(...marks: readonly (Readonly<Record<string, string>> | null | undefined)[]): boolean {
  return marks.some((m) => m !== null && m !== undefined && Object.hasOwn(m, ownerKey));
}
