/** Envoy's default overprovisioning: a priority takes all its load until fewer than 1/1.4 = 72 % of its hosts are available. */
const overprovisioningPercent = 140;

export interface PriorityHealth {
  /** Hosts; those that drain or have no weight are not counted. */
  readonly total: number;
  /** Of them, neither ejected nor known to be unhealthy. */
  readonly available: number;
  /** `available`, where each that has lately returned counts for the part that it may carry by now. */
  readonly ready?: number;
}

export interface PriorityLoad {
  /** Percent of the picks; over all priorities 100, or 0 when nothing is available and there is no panic. */
  readonly load: number;
  /** Its health is not looked at: all of its hosts are used. */
  readonly panic: boolean;
}

/**
 * How much each priority gets, as Envoy computes it (Envoy docs, "Priority levels" and "Panic threshold"; whole percents, rounded
 * down, the remainder to the first that has any). `panicPercent` 0: never panic. Pure.
 */
export function priorityLoads(priorities: readonly PriorityHealth[], panicPercent: number): readonly PriorityLoad[] {
  const health = priorities.map(({ total, available, ready = available }) =>
    total === 0 ? 0 : Math.min(100, Math.floor((overprovisioningPercent * ready) / total)),
  );
  const normalized = Math.min(
    100,
    health.reduce((sum, each) => sum + each, 0),
  );
  if (normalized === 0) return panicPercent > 0 ? byHosts(priorities) : priorities.map(() => ({ load: 0, panic: false }));
  let left = 100;
  const loads = health.map((each) => {
    const load = Math.min(left, Math.floor((each * 100) / normalized));
    left -= load;
    return load;
  });
  const first = loads.findIndex((_, i) => (health[i] ?? 0) > 0);
  return priorities.map(({ total, available }, i) => ({
    load: (loads[i] ?? 0) + (i === first ? left : 0),
    // While the priorities together can carry everything, none of them panics.
    panic: normalized < 100 && (total === 0 ? 0 : (100 * available) / total) < panicPercent,
  }));
}

/** Total panic: by the number of hosts. */
function byHosts(priorities: readonly PriorityHealth[]): readonly PriorityLoad[] {
  const hosts = priorities.reduce((sum, { total }) => sum + total, 0);
  if (hosts === 0) return priorities.map(() => ({ load: 0, panic: true }));
  const loads = priorities.map(({ total }) => Math.floor((100 * total) / hosts));
  const left = 100 - loads.reduce((sum, load) => sum + load, 0);
  const first = priorities.findIndex(({ total }) => total > 0);
  return loads.map((load, i) => ({ load: load + (i === first ? left : 0), panic: true }));
}

/** A locality's share after what it has lost: it keeps all of it until fewer than 72 % of its hosts are available. */
export function localityWeight(weight: number, { total, available }: PriorityHealth): number {
  return total === 0 ? 0 : weight * Math.min(1, (overprovisioningPercent / 100) * (available / total));
}
