import type { ClusterTraffic, HashKey, HealthCheck, LoadBalancer, OutsideTls } from '../../core/traffic/index.ts';
import type { nativeTraffic as wire } from '../../core/xds/index.ts';
import { nativeTraffic } from '../../core/xds/index.ts';

const { SimpleBalancer_Type: balancers, HealthCheck_Type: checks, OutsideTls_Mode: modes } = nativeTraffic;
const balancerOf = { 'round-robin': balancers.ROUND_ROBIN, 'least-request': balancers.LEAST_REQUEST, random: balancers.RANDOM };
const checkOf = { http: checks.HTTP, tcp: checks.TCP, grpc: checks.GRPC };
const modeOf = { simple: modes.SIMPLE, mutual: modes.MUTUAL };

/** How a cluster is used, as traffic.proto says it. Pure; gateway/state reads it back to the same content. */
export function trafficMessage(traffic: ClusterTraffic): wire.ClusterTraffic {
  const { loadBalancer, connections, outlier, healthCheck, retryBudget, tls } = traffic;
  return {
    loadBalancer: loadBalancer === undefined ? undefined : balancer(loadBalancer),
    connections: connections === undefined ? undefined : { ...connections, tcpKeepalive: connections.tcpKeepalive },
    outlier: outlier === undefined ? undefined : { ...outlier, successRate: outlier.successRate },
    healthCheck: healthCheck === undefined ? undefined : check(healthCheck),
    retryBudget,
    tls: tls === undefined ? undefined : outside(tls),
  };
}

function balancer(of: LoadBalancer): wire.LoadBalancer {
  if (of.type !== 'hash') return { kind: { $case: 'simple', value: { type: balancerOf[of.type], warmup: of.warmup } } };
  const table: wire.HashBalancer['table'] =
    of.table.type === 'ring'
      ? { $case: 'minimumRingSize', value: of.table.minimumRingSize }
      : { $case: 'maglevTableSize', value: of.table.tableSize };
  return { kind: { $case: 'hash', value: { on: hashKey(of.on), table } } };
}

function hashKey(key: HashKey): wire.HashBalancer['on'] {
  switch (key.type) {
    case 'cookie':
      return { $case: 'cookie', value: { name: key.name, path: key.path, ttlMs: key.ttlMs } };
    case 'source-address':
      return { $case: 'sourceAddress', value: {} };
    case 'header':
    case 'query':
      return { $case: key.type, value: key.name };
  }
}

function check(of: HealthCheck): wire.HealthCheck {
  return { ...of, type: checkOf[of.type], expectedStatuses: of.expectedStatuses.map((each) => ({ ...each })) };
}

function outside(tls: OutsideTls): wire.OutsideTls {
  return { ...tls, mode: modeOf[tls.mode], subjectAltNames: [...tls.subjectAltNames] };
}
