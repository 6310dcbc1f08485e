import { type ServiceKey, serviceKey } from '../../../core/model/index.ts';
import type { Reporter } from '../../../core/telemetry/index.ts';
import type { TrafficFlow } from './contract.ts';

/** Who called which service of the mesh, as far as both are known. */
export interface CallSeen {
  readonly source: { readonly principal: string; readonly cluster: string };
  readonly destination: ServiceKey;
  /** And connections. */
  readonly requests: number;
  /** Unix ms. */
  readonly lastAt: number;
}

/**
 * One entry a pair: what both ends, and gateways between them, counted is the same traffic, so the one that counted most is
 * believed. Pure.
 */
export function callsSeen(flows: readonly TrafficFlow[]): CallSeen[] {
  const pairs = new Map<string, Map<Reporter, CallSeen>>();
  for (const { key, counts, lastAt } of flows) {
    const { source, destination: to, reporter } = key;
    if (source.principal === '' || to.name === '') continue;
    const text = `${source.principal} ${source.cluster} ${to.namespace}/${to.name}`;
    const pair = pairs.get(text) ?? new Map<Reporter, CallSeen>();
    pairs.set(text, pair);
    const before = pair.get(reporter);
    const requests = counts.requests + counts.connections + (before?.requests ?? 0);
    pair.set(reporter, {
      source,
      destination: serviceKey(to.namespace, to.name),
      requests,
      lastAt: Math.max(lastAt, before?.lastAt ?? 0),
    });
  }
  return [...pairs.values()].flatMap((pair) => [...pair.values()].sort((a, b) => b.requests - a.requests).slice(0, 1));
}

/** Without what another reporter counted as well: of each (source, destination) the reporter that counted most stays. Pure. */
export function countedOnce(flows: readonly TrafficFlow[]): TrafficFlow[] {
  const sums = new Map<string, Map<Reporter, number>>();
  for (const { key, counts } of flows) {
    const pair = sums.get(pairOf(key)) ?? new Map<Reporter, number>();
    pair.set(key.reporter, (pair.get(key.reporter) ?? 0) + counts.requests + counts.connections);
    sums.set(pairOf(key), pair);
  }
  const order: readonly Reporter[] = ['source', 'destination', 'gateway'];
  return flows.filter(({ key }) => {
    const pair = sums.get(pairOf(key)) ?? new Map<Reporter, number>();
    const best = [...pair].sort(([a, m], [b, n]) => n - m || order.indexOf(a) - order.indexOf(b))[0]?.[0];
    return best === key.reporter;
  });
}

function pairOf({ source, destination }: TrafficFlow['key']): string {
  return `${source.principal} ${source.cluster} ${destination.host}`;
}
