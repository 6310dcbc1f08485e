import type { LoadBalancer, Warmup } from '../../traffic/index.ts';
import {
  type Cluster,
  Cluster_LeastRequestLbConfig,
  Cluster_MaglevLbConfig,
  Cluster_RingHashLbConfig,
  Cluster_RoundRobinLbConfig,
  type Cluster_SlowStartConfig,
  Cluster_LbPolicy as Policy,
} from '../gen/envoy/config/cluster/v3/cluster.ts';
import { duration } from './any.ts';

/** Endpoints within what priorities and localities have decided. Envoy has no warm-up where it picks at random. */
export function balancing(balancer: LoadBalancer | undefined): Pick<Cluster, 'lbPolicy' | 'lbConfig'> {
  switch (balancer?.type) {
    case undefined:
      return { lbPolicy: Policy.ROUND_ROBIN, lbConfig: undefined };
    case 'round-robin': {
      const slowStartConfig = slowStart(balancer.warmup);
      if (slowStartConfig === undefined) return { lbPolicy: Policy.ROUND_ROBIN, lbConfig: undefined };
      const value = Cluster_RoundRobinLbConfig.create({ slowStartConfig });
      return { lbPolicy: Policy.ROUND_ROBIN, lbConfig: { $case: 'roundRobinLbConfig', value } };
    }
    case 'least-request': {
      const value = Cluster_LeastRequestLbConfig.create({ slowStartConfig: slowStart(balancer.warmup) });
      return { lbPolicy: Policy.LEAST_REQUEST, lbConfig: { $case: 'leastRequestLbConfig', value } };
    }
    case 'random':
      return { lbPolicy: Policy.RANDOM, lbConfig: undefined };
    case 'hash':
      return byHash(balancer.table);
  }
}

/** What a request is spread by, its route says. */
function byHash(table: Extract<LoadBalancer, { type: 'hash' }>['table']): Pick<Cluster, 'lbPolicy' | 'lbConfig'> {
  if (table.type === 'maglev') {
    const value = Cluster_MaglevLbConfig.create({ tableSize: table.tableSize });
    return { lbPolicy: Policy.MAGLEV, lbConfig: { $case: 'maglevLbConfig', value } };
  }
  const minimumRingSize = Math.min(table.minimumRingSize, mostPoints);
  const value = Cluster_RingHashLbConfig.create({ minimumRingSize });
  return { lbPolicy: Policy.RING_HASH, lbConfig: { $case: 'ringHashLbConfig', value } };
}

/** Envoy's own bound. */
const mostPoints = 8 * 1024 * 1024;

function slowStart(warmup: Warmup | undefined): Cluster_SlowStartConfig | undefined {
  if (warmup === undefined || warmup.durationMs === 0) return undefined;
  return {
    slowStartWindow: duration(warmup.durationMs),
    aggression: { defaultValue: warmup.aggression, runtimeKey: 'isthmus.slow_start.aggression' },
    minWeightPercent: { value: warmup.minPercent },
  };
}
