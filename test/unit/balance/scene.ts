import type { LoadBalancer } from '../../../core/traffic/index.ts';
import { Balancer, type ClusterTable, type PickContext } from '../../../gateway/engine/index.ts';
import type { EndpointState } from '../../../gateway/state/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

export function endpoint(port: number, more: Partial<EndpointState> = {}): EndpointState {
  const where = { cluster: 'east', network: 'n', locality: '', runtime: 'vm', instance: '' };
  const state = { viaGateway: false, stale: false, draining: false };
  return { address: '10.0.0.1', port, weight: 1, priority: 0, ...where, ...state, ...more };
}

export function table(endpoints: readonly EndpointState[], more: Partial<ClusterTable> = {}): ClusterTable {
  return { name: 'c', host: 'h', namespace: 'n', service: 's', connectTimeoutMs: 1, endpoints, ...more };
}

export function balanced(endpoints: readonly EndpointState[], loadBalancer: LoadBalancer): ClusterTable {
  return table(endpoints, { traffic: { loadBalancer } });
}

/** The same numbers at every run (xorshift32). */
function seeded(seed = 1): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

export const none: ReadonlySet<never> = new Set<never>();

export function makeBalancer(seed = 1): { readonly balancer: Balancer; readonly clock: ManualClock } {
  const clock = new ManualClock();
  return { balancer: new Balancer(seeded(seed), clock), clock };
}

/** How many of `count` picks each port got. */
export function shares(
  balancer: Balancer,
  cluster: ClusterTable,
  count: number,
  ejected: ReadonlySet<string> = none,
  contextOf: (i: number) => PickContext = () => ({}),
): Record<number, number> {
  const got: Record<number, number> = {};
  for (let i = 0; i < count; i++) {
    const port = balancer.pick(cluster, ejected, none, contextOf(i))?.port ?? 0;
    got[port] = (got[port] ?? 0) + 1;
  }
  return got;
}
