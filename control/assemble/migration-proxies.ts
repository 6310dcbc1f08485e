import type { ServiceKey } from '../../core/model/index.ts';
import type { Sight } from '../migrate/replicas/index.ts';
import type { TrafficHome } from './traffic.ts';

/** Reports that may be missed before a caller counts as silent. */
const missed = 3;
/** A caller that is neither connected nor heard of for so long has ended: it calls nobody. */
const goneMs = 60_000;

/** Clients of this replica, by SPIFFE-ID#INSTANCE. */
export interface XdsClients {
  readonly connected: ReadonlySet<string>;
  /** They hold what callers of the service are told. */
  readonly holders: readonly string[];
  /** Of those, they have not acknowledged all of it. */
  readonly behind: readonly string[];
}

/** Who calls the service, of the clients of this replica: who is silent, and who does not hold the weights in force. */
export function proxiesOf(
  service: ServiceKey,
  traffic: Pick<TrafficHome, 'meters' | 'pace' | 'status'>,
  xds: XdsClients,
): Sight['proxies'] {
  const reported = new Map(traffic.status().map(({ id, ageMs }) => [id, ageMs]));
  const lateMs = missed * Math.max(1_000, traffic.pace.everyMs);
  const callers = traffic.meters
    .callersOf(service)
    .filter(({ id, ageMs }) => xds.connected.has(id) || (reported.get(id) ?? ageMs) < goneMs);
  const heard = callers.filter(({ id }) => (reported.get(id) ?? Number.POSITIVE_INFINITY) <= lateMs);
  return {
    callers: callers.length,
    heard: heard.map(({ id }) => id),
    calling: heard.filter(({ ageMs }) => ageMs < goneMs).map(({ id }) => id),
    silent: callers.filter((each) => !heard.includes(each)).map(({ id }) => id),
    holders: xds.holders,
    behind: xds.behind,
  };
}
