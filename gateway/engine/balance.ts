import type { EndpointState } from '../state/types.ts';
import { type ClusterTable, ejectionKey } from './contract.ts';

/**
 * Picks endpoints: the lowest priority that has a usable one, and within it smooth weighted round robin. That and not weighted
 * random, because consecutive picks then differ: a retry through the same gateway reaches another backend, and shares are
 * exact over a handful of connections, which is all that most services ever see. Where each rotation starts is random, so
 * that proxies that start together do not all begin with the same endpoint.
 *
 * One balancer belongs to one engine or forwarder; its state is only where each rotation stands.
 */
export class Balancer {
  readonly #random: () => number;
  readonly #rotations = new Map<string, Map<string, number>>();

  constructor(random: () => number) {
    this.#random = random;
  }

  /**
   * `exclude`: endpoints that this connection or request has tried. When only ejected ones are left they are used: a wrong
   * suspicion must not turn into an outage. Undefined: none at all.
   */
  pick(cluster: ClusterTable, ejected: ReadonlySet<string>, exclude: ReadonlySet<EndpointState>): EndpointState | undefined {
    const open = cluster.endpoints.filter((e) => e.weight > 0 && !e.draining && !exclude.has(e));
    const sound = open.filter((e) => !ejected.has(ejectionKey(cluster.name, e)));
    const usable = sound.length > 0 ? sound : open;
    if (usable.length === 0) return undefined;
    const priority = usable.reduce((least, e) => Math.min(least, e.priority), Number.POSITIVE_INFINITY);
    return this.#rotate(
      cluster,
      usable.filter((e) => e.priority === priority),
    );
  }

  /** Forgets clusters that are gone. */
  keepOnly(clusters: ReadonlyMap<string, ClusterTable>): void {
    for (const name of this.#rotations.keys()) if (!clusters.has(name)) this.#rotations.delete(name);
  }

  #rotate(cluster: ClusterTable, endpoints: readonly EndpointState[]): EndpointState | undefined {
    const standing = this.#rotationOf(cluster);
    let best: EndpointState | undefined;
    let bestKey = '';
    let bestStanding = Number.NEGATIVE_INFINITY;
    let total = 0;
    for (const endpoint of endpoints) {
      const key = rotationKey(endpoint);
      const next = (standing.get(key) ?? this.#random() * endpoint.weight) + endpoint.weight;
      standing.set(key, next);
      total += endpoint.weight;
      if (next > bestStanding) [best, bestKey, bestStanding] = [endpoint, key, next];
    }
    standing.set(bestKey, bestStanding - total);
    return best;
  }

  #rotationOf(cluster: ClusterTable): Map<string, number> {
    const known = this.#rotations.get(cluster.name) ?? new Map<string, number>();
    this.#rotations.set(cluster.name, known);
    // Endpoints come and go; what is no longer listed must not pile up.
    if (known.size > 2 * cluster.endpoints.length + 8) {
      const listed = new Set(cluster.endpoints.map(rotationKey));
      for (const key of known.keys()) if (!listed.has(key)) known.delete(key);
    }
    return known;
  }
}

function rotationKey(endpoint: EndpointState): string {
  return `${endpoint.address}:${endpoint.port} ${endpoint.tls?.sni ?? ''} ${endpoint.instance}`;
}
