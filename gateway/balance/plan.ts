import type { Warmup } from '../../core/traffic/index.ts';
import { type ClusterTable, ejectionKey } from '../engine/contract.ts';
import type { EndpointState } from '../state/types.ts';
import { localityWeight, priorityLoads } from './priority-load.ts';

/** What is remembered of an endpoint (or a locality) from one plan to the next. */
export interface Seat {
  /** Where it stands in the rotation. */
  standing: number;
  /** Requests that run there. */
  active: number;
  /** Monotonic ms of when it was first seen, while it warms up. */
  since: number | undefined;
  /** Monotonic ms since when it is not to be used, while that is so. */
  away?: number | undefined;
  /** It was away, and takes its share again little by little. */
  returning?: { readonly since: number; readonly by: Warmup } | undefined;
}

export interface Host {
  readonly endpoint: EndpointState;
  readonly key: string;
  readonly seat: Seat;
  /** Less than its own while it returns. */
  readonly weight: number;
}

export interface Locality {
  readonly seat: Seat;
  /** After what it has lost. */
  readonly weight: number;
  readonly hosts: readonly Host[];
}

/** One priority that takes part of the load. */
export interface Pool {
  readonly load: number;
  readonly localities: readonly Locality[];
}

/** Who is picked from while neither the cluster nor the ejections change. */
export interface Plan {
  readonly pools: readonly Pool[];
  /** For picks whose pools are used up, in this order: priorities that hold no load now. */
  readonly spare: readonly (readonly Host[])[];
  /** Then those under suspicion, priority by priority, and last those that their registry calls unhealthy. */
  readonly suspects: readonly (readonly Host[])[];
}

export interface PlanSeats {
  readonly host: (endpoint: EndpointState) => Host;
  readonly locality: (priority: number, locality: string) => Seat;
  /** The part of its share that an endpoint may carry by now, in (0, 1]. */
  readonly ready: (seat: Seat) => number;
}

export function buildPlan(cluster: ClusterTable, ejected: ReadonlySet<string>, seats: PlanSeats): Plan {
  const levels = levelsOf(cluster, ejected, seats);
  const loads = priorityLoads(
    levels.map(({ hosts, sound, ready }) => ({ total: hosts.length, available: sound.length, ready })),
    cluster.traffic?.outlier?.minHealthPercent ?? 0,
  );
  const pools: Pool[] = [];
  const spare: (readonly Host[])[] = [];
  levels.forEach((level, i) => {
    const { load, panic } = loads[i] ?? { load: 0, panic: false };
    if (load === 0) spare.push(level.sound);
    else pools.push({ load, localities: panic ? whole(level.hosts, seats, level.priority) : localitiesOf(cluster, level, seats) });
  });
  const suspects = [...levels.map((level) => level.suspected), ...levels.map((level) => level.unhealthy)];
  return { pools, spare: spare.filter(hasAny), suspects: suspects.filter(hasAny) };
}

interface Level {
  readonly priority: number;
  /** All of them; each is in one of the three that follow, too. */
  readonly hosts: Host[];
  readonly sound: Host[];
  /** How many of the sound that is, when those that return count for their part. */
  ready: number;
  readonly suspected: Host[];
  readonly unhealthy: Host[];
}

/** By priority, the highest first. What drains or has no weight is not there at all. */
function levelsOf(cluster: ClusterTable, ejected: ReadonlySet<string>, seats: PlanSeats): readonly Level[] {
  const levels = new Map<number, Level>();
  for (const endpoint of cluster.endpoints) {
    if (endpoint.weight <= 0 || endpoint.draining) continue;
    const { priority } = endpoint;
    const level = levels.get(priority) ?? { priority, hosts: [], sound: [], ready: 0, suspected: [], unhealthy: [] };
    levels.set(priority, level);
    const host = seats.host(endpoint);
    level.hosts.push(host);
    if (endpoint.unhealthy === true) level.unhealthy.push(host);
    else if (ejected.size > 0 && ejected.has(ejectionKey(cluster.name, endpoint))) level.suspected.push(host);
    else {
      const ready = seats.ready(host.seat);
      level.ready += ready;
      level.sound.push(ready === 1 ? host : { ...host, weight: host.weight * ready });
    }
  }
  return [...levels.values()].sort((a, b) => a.priority - b.priority);
}

function localitiesOf(cluster: ClusterTable, level: Level, seats: PlanSeats): readonly Locality[] {
  const weights = (cluster.localities ?? []).filter(({ priority, weight }) => priority === level.priority && weight > 0);
  const parts = weights.map(({ locality, weight }) => {
    const isHere = ({ endpoint }: Host) => endpoint.locality === locality;
    const hosts = level.sound.filter(isHere);
    const total = level.hosts.filter(isHere).length;
    return {
      seat: seats.locality(level.priority, locality),
      weight: localityWeight(weight, { total, available: hosts.length }) * readyPart(hosts),
      hosts,
    };
  });
  const sound = parts.filter(({ weight }) => weight > 0);
  // A wrong or late list of shares must not leave sound endpoints unused.
  return sound.length > 0 ? sound : whole(level.sound, seats, level.priority);
}

/** A locality that returns gets less of what the others share with it. */
function readyPart(hosts: readonly Host[]): number {
  const sum = (weightOf: (host: Host) => number): number => hosts.reduce((total, host) => total + weightOf(host), 0);
  return hosts.length === 0 ? 1 : sum(({ weight }) => weight) / sum(({ endpoint }) => endpoint.weight);
}

function whole(hosts: readonly Host[], seats: PlanSeats, priority: number): readonly Locality[] {
  return [{ seat: seats.locality(priority, ''), weight: 1, hosts }];
}

function hasAny(hosts: readonly Host[]): boolean {
  return hosts.length > 0;
}
