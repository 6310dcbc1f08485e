import { createHash } from 'node:crypto';

/**
 * How records that Isthmus wrote into a registry are told from everybody else's, so that they are never imported again
 * (by this or any other cluster) and never overwritten by another owner.
 */

/** Label (Kubernetes) of every record that Isthmus writes; the value is `ownerOf`. */
export const ownerKey = 'isthmus.dev/owner';
/** The same as Consul's meta key, on node and service: Consul allows letters, digits, `-` and `_` only. */
export const ownerMetaKey = 'isthmus-owner';

/**
 * `CLUSTER.SOURCE`, with what a Kubernetes label value may not hold replaced: [A-Za-z0-9._-], 63 characters at most. What had to be
 * replaced or cut gets a digest, so that no two owners are spelt alike.
 */
export function ownerOf(cluster: string, source: string): string {
  const text = `${cluster}.${source}`;
  const plain = text.replace(/[^A-Za-z0-9._-]/g, '_');
  if (plain === text.replace('/', '_') && plain.length <= 63) return plain;
  return `${plain.slice(0, 50)}.${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}

/** The Consul node that carries what `cluster` publishes. */
export function publishedNodeName(cluster: string): string {
  return `isthmus-${cluster}`;
}

/** The native name of an imported service. */
export function publishedName(service: { readonly name: string }): string {
  return `${service.name}-mesh`;
}

/** Whether Isthmus itself, of any cluster, wrote a record that carries these meta entries or labels. */
export function isMeshOwned(...marks: readonly (Readonly<Record<string, string>> | null | undefined)[]): boolean {
  return marks.some((m) => m !== null && m !== undefined && (Object.hasOwn(m, ownerKey) || Object.hasOwn(m, ownerMetaKey)));
}
