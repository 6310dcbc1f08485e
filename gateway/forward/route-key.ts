import type { ClusterTraffic, OutsideTls } from '../../core/traffic/index.ts';
import type { HttpLimits } from '../context.ts';
import type { CalledEndpoint, ClusterTable } from '../engine/index.ts';

/** Connections with one key may serve each other's requests: as whom we came, where to, and how it was proven. */
export function routeKey(identity: string, { name, traffic }: ClusterTable, { address, port, tls, caller }: CalledEndpoint): string {
  const outside = tls === undefined && traffic?.tls !== undefined ? textOf(traffic.tls) : '';
  return `${identity} ${name} ${address}:${port} ${tls?.sni ?? ''} ${tls?.clusterSan ?? ''}${tls?.trustDomain ?? ''} ${tls?.uriSans.join() ?? ''}${outside}${caller === undefined ? '' : `\n${caller.id}`}`;
}

/** Without the one caller whose connections these are, if they are one's. */
export function sharedKey(key: string): string {
  const end = key.indexOf('\n');
  return end < 0 ? key : key.slice(0, end);
}

/** Nobody else may use it, and its caller may be gone. */
const callerIdleMs = 5_000;

/** How long a connection is kept unused. */
export function idleMsOf(
  traffic: ClusterTraffic | undefined,
  limits: Pick<HttpLimits, 'idleConnectionMs'>,
  { caller }: CalledEndpoint,
): number {
  if (caller !== undefined) return callerIdleMs;
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
