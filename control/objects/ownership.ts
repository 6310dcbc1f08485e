import type { ObjectOwner } from './contract.ts';

export const fileSource = 'file';
export const apiSource = 'api';

/** Whose it is and where it is changed, without a full stop. */
export function whereToChange(owner: ObjectOwner, ownCluster: string): string {
  const { cluster, source } = owner;
  if (cluster !== ownCluster) return `belongs to cluster ${cluster} (${source}): change it there`;
  if (source === fileSource) return "belongs to this control plane's configuration files: change it there";
  if (source.startsWith('kubernetes/')) return `belongs to Kubernetes (registry ${source}): change it there, with kubectl`;
  return `belongs to ${source}: change it there`;
}
