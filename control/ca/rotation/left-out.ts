import type { ClusterProgress } from './advance.ts';
import { isLeftOut, type Laggard } from './awareness.ts';

const mostNamed = 16;

export interface NamedScene {
  readonly names: readonly string[];
  readonly clusters: readonly ClusterProgress[];
  /** Cluster that is asked, and who holds SVIDs of it or is connected to it. */
  readonly cluster: string;
  readonly holders: readonly string[];
}

/**
 * Those of the names that nobody goes by: no cluster, nobody who is waited for anywhere, and nobody of the cluster that is asked. Of a peer
 * that waits for more than it lists, or says nothing of whom, any name may be somebody's. Pure.
 */
export function unknownNames({ names, clusters, cluster, holders }: NamedScene): readonly string[] {
  const known = [
    ...clusters.map((each) => each.cluster),
    ...clusters.flatMap(({ cluster: at, report }) =>
      [...(report?.unaware ?? []), ...(report?.holding ?? [])].map(({ name }) => `${at}/${name}`),
    ),
    ...holders.map((name) => `${cluster}/${name}`),
  ];
  const opaque = clusters.filter(({ cluster: at, report }) => at !== cluster && (report === undefined || report.more));
  return names.filter((name) => !known.some((each) => isLeftOut(each, [name])) && !opaque.some(({ cluster: at }) => mayBeOf(name, at)));
}

/** `CLUSTER/NAMESPACE/...` names its cluster; a shorter one is of anywhere. */
function mayBeOf(name: string, cluster: string): boolean {
  const parts = name.split('/');
  return parts.length < 4 || parts[0] === cluster;
}

/** For people: who can be named. */
export function waitedFor(missing: readonly (Laggard & { readonly cluster: string })[]): string {
  if (missing.length === 0) return 'nobody is waited for';
  const all = missing.map(({ cluster, name }) => (name === cluster ? name : `${cluster}/${name}`));
  const more = all.length > mostNamed ? `, and ${all.length - mostNamed} more` : '';
  return `waited for ${all.length === 1 ? 'is' : 'are'} ${all.slice(0, mostNamed).join(', ')}${more}`;
}
