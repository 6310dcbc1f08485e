import type { ClusterTraffic, OutsideTls } from '../../core/traffic/index.ts';
import type { HttpLimits } from '../context.ts';
import type { ClusterTable } from '../engine/index.ts';
import type { EndpointState } from '../state/index.ts';

/** Connections with one key may serve each other's requests: as whom we came, where to, and how it was proven. */
export function routeKey(identity: string, { name, traffic }: ClusterTable, { address, port, tls }: EndpointState): string {
  const outside = tls === undefined && traffic?.tls !== undefined ? textOf(traffic.tls) : '';
  return `${identity} ${name} ${address}:${port} ${tls?.sni ?? ''} ${tls?.clusterSan ?? ''} ${tls?.uriSans.join() ?? ''}${outside}`;
}

/** How long a connection is kept unused. */
export function idleMsOf(traffic: ClusterTraffic | undefined, limits: Pick<HttpLimits, 'idleConnectionMs'>): number {
  const { idleTimeoutMs = limits.idleConnectionMs } = traffic?.connections ?? {};
  return idleTimeoutMs === 0 ? Number.POSITIVE_INFINITY : idleTimeoutMs;
}

const texts = new WeakMap<OutsideTls, string>();

/** Asked for each request; tables are immutable. */
function textOf(tls: OutsideTls): string {
  const known = texts.get(tls);
  if (known !== undefined) return known;
  const text = ` ${JSON.stringify(tls)}`;
  texts.set(tls, text);
  return text;
}
