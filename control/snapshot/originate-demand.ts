import { type ServiceKey, serviceKey } from '../../core/model/index.ts';
import type { Routing } from '../../core/traffic/index.ts';
import { findGatewayPort, type SnapshotInputs } from './inputs.ts';

/**
 * Which xDS clusters the gateway ports' routings lead to, whosever they are: gateways get those of services that have no gateway
 * port of their own too. Follows the inputs, looking again at what changed alone.
 */
export class OriginateDemand {
  /** What the routings of one service lead to. */
  readonly #from = new Map<ServiceKey, ReadonlySet<string>>();
  /** How many services lead to it. */
  readonly #count = new Map<string, number>();

  has(cluster: string): boolean {
    return this.#count.has(cluster);
  }

  /** Looks at these services again; returns those whose xDS clusters became wanted, or are no longer. */
  update(inputs: SnapshotInputs, services: Iterable<ServiceKey>): ReadonlySet<ServiceKey> {
    const counted = new Map<string, boolean>();
    const step = (cluster: string, by: number) => {
      const before = this.#count.get(cluster) ?? 0;
      if (!counted.has(cluster)) counted.set(cluster, before > 0);
      if (before + by > 0) this.#count.set(cluster, before + by);
      else this.#count.delete(cluster);
    };
    for (const key of services) {
      for (const cluster of this.#from.get(key) ?? []) step(cluster, -1);
      const next = leadsTo(key, inputs);
      for (const cluster of next) step(cluster, 1);
      if (next.size === 0) this.#from.delete(key);
      else this.#from.set(key, next);
    }
    const changed = [...counted].filter(([cluster, before]) => before !== this.has(cluster));
    return new Set(changed.flatMap(([cluster]) => ownerOf(cluster, inputs.hostSuffix) ?? []));
  }

  /** The same from nothing. */
  reset(inputs: SnapshotInputs): void {
    this.#from.clear();
    this.#count.clear();
    this.update(inputs, new Set(inputs.gatewayPorts.map((g) => g.service)));
  }
}

function leadsTo(key: ServiceKey, inputs: SnapshotInputs): ReadonlySet<string> {
  const clusters = new Set<string>();
  for (const [port, routing] of inputs.traffic.service(key)?.routing ?? []) {
    if (findGatewayPort(inputs.gatewayPorts, key, port) !== undefined) for (const cluster of clustersOf(routing)) clusters.add(cluster);
  }
  return clusters;
}

/** Services that the rules of one lead to, by any of its ports. */
export function servicesLedTo(key: ServiceKey, inputs: SnapshotInputs): ReadonlySet<ServiceKey> {
  const clusters = [...(inputs.traffic.service(key)?.routing.values() ?? [])].flatMap((routing) => [...clustersOf(routing)]);
  return new Set(clusters.flatMap((cluster) => ownerOf(cluster, inputs.hostSuffix) ?? []));
}

function* clustersOf({ virtualHosts, l4 }: Routing): Iterable<string> {
  for (const { action } of virtualHosts.flatMap((host) => host.rules)) {
    if (action.type !== 'route') continue;
    for (const { destination } of [...action.destinations, ...action.mirrors]) if (destination.cluster !== '') yield destination.cluster;
  }
  for (const { destination } of l4.flatMap((rule) => rule.destinations)) if (destination.cluster !== '') yield destination.cluster;
}

function ownerOf(cluster: string, hostSuffix: string): ServiceKey | undefined {
  const host = cluster.split('|')[3] ?? '';
  if (!host.endsWith(`.${hostSuffix}`)) return undefined;
  const [name = '', namespace = ''] = host.slice(0, -hostSuffix.length - 1).split('.');
  return serviceKey(namespace, name);
}
