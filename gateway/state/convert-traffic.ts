import type { ClusterTraffic, HashKey, HealthCheck, LoadBalancer } from '../../core/traffic/index.ts';
import { nativeTraffic } from '../../core/xds/index.ts';
import { said } from './said.ts';

/** From traffic.proto's messages, already checked, to core/traffic's words; what this version does not know is left out. Pure. */
export function trafficOf(message: nativeTraffic.ClusterTraffic): ClusterTraffic {
  const { loadBalancer, connections, outlier, healthCheck, retryBudget, tls } = message;
  return said({
    loadBalancer: loadBalancer && balancerOf(loadBalancer),
    connections: connections && said({ ...connections, tcpKeepalive: connections.tcpKeepalive && said(connections.tcpKeepalive) }),
    outlier: outlier && said(outlier),
    healthCheck: healthCheck && checkOf(healthCheck),
    retryBudget,
    tls: tls && { ...said(tls), mode: tls.mode === nativeTraffic.OutsideTls_Mode.MUTUAL ? ('mutual' as const) : ('simple' as const) },
  });
}

function balancerOf({ kind }: nativeTraffic.LoadBalancer): LoadBalancer | undefined {
  if (kind === undefined) return undefined;
  if (kind.$case === 'hash') return hashOf(kind.value);
  const type = simpleTypeOf(kind.value.type);
  return type && { type, ...said({ warmup: kind.value.warmup }) };
}

function simpleTypeOf(type: nativeTraffic.SimpleBalancer_Type): Exclude<LoadBalancer['type'], 'hash'> | undefined {
  switch (type) {
    case nativeTraffic.SimpleBalancer_Type.ROUND_ROBIN:
      return 'round-robin';
    case nativeTraffic.SimpleBalancer_Type.LEAST_REQUEST:
      return 'least-request';
    case nativeTraffic.SimpleBalancer_Type.RANDOM:
      return 'random';
    default:
      return undefined;
  }
}

function hashOf({ on, table }: nativeTraffic.HashBalancer): LoadBalancer | undefined {
  if (on === undefined || table === undefined) return undefined;
  const size = table.value;
  return {
    type: 'hash',
    on: keyOf(on),
    table: table.$case === 'minimumRingSize' ? { type: 'ring', minimumRingSize: size } : { type: 'maglev', tableSize: size },
  };
}

function keyOf(on: NonNullable<nativeTraffic.HashBalancer['on']>): HashKey {
  switch (on.$case) {
    case 'cookie':
      return { type: 'cookie', ...said(on.value) };
    case 'sourceAddress':
      return { type: 'source-address' };
    case 'header':
    case 'query':
      return { type: on.$case, name: on.value };
  }
}

function checkOf(message: nativeTraffic.HealthCheck): HealthCheck | undefined {
  const type = checkTypeOf(message.type);
  return type && { ...said(message), type };
}

function checkTypeOf(type: nativeTraffic.HealthCheck_Type): HealthCheck['type'] | undefined {
  switch (type) {
    case nativeTraffic.HealthCheck_Type.HTTP:
      return 'http';
    case nativeTraffic.HealthCheck_Type.TCP:
      return 'tcp';
    case nativeTraffic.HealthCheck_Type.GRPC:
      return 'grpc';
    default:
      return undefined;
  }
}
