import type { ClusterTable } from '../contract.ts';

/** Who may be concerned by endpoints that were ejected or taken back: as ejections are news of one endpoint mostly, and tables may have thousands of clusters. */
export interface EjectionChanges {
  concern(table: ClusterTable): boolean;
}

const nobody: EjectionChanges = { concern: () => false };

/** Between two sets of `ejectionKey`s. A superset: whoever it does not name has all its endpoints as they were. */
export function ejectionChanges(before: ReadonlySet<string>, now: ReadonlySet<string>): EjectionChanges {
  if (before === now) return nobody;
  const names = new Set<string>();
  let gateways = false;
  for (const key of [...difference(before, now), ...difference(now, before)]) {
    gateways ||= key.startsWith('gateway ');
    // A key is a cluster's name, a blank and a place; either may hold a blank.
    for (let at = key.indexOf(' '); at >= 0; at = key.indexOf(' ', at + 1)) names.add(key.slice(0, at));
  }
  if (names.size === 0) return nobody;
  return { concern: (table) => names.has(table.name) || (gateways && leadsOverGateways(table)) };
}

function difference(one: ReadonlySet<string>, other: ReadonlySet<string>): readonly string[] {
  return [...one].filter((key) => !other.has(key));
}

function leadsOverGateways({ endpoints }: ClusterTable): boolean {
  return endpoints.some(({ viaGateway }) => viaGateway);
}
