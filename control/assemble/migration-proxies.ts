import type { ServiceKey } from '../../core/model/index.ts';
import { callerGoneMs, type Sight } from '../migrate/replicas/index.ts';
import type { TrafficHome } from './traffic.ts';

/** Reports that may be missed before a caller counts as silent. */
const missed = 3;

/** Clients of this replica, by SPIFFE-ID#INSTANCE as all names here. */
export interface XdsClients {
  readonly connected: ReadonlySet<string>;
  /** They have not acknowledged what callers of the service are told. */
  readonly behind: readonly string[];
}

/**
 * Who calls the service, of the clients of this replica: who is silent, and who does not hold the weights in force. `recorded`: whom the leader knows as
 * callers, of all replicas.
 */
export function proxiesOf(
  service: ServiceKey,
  recorded: readonly string[],
  traffic: Pick<TrafficHome, 'meters' | 'pace' | 'status'>,
  xds: XdsClients,
): Sight['proxies'] {
  const reported = new Map(traffic.status().map(({ id, ageMs }) => [id, ageMs]));
  const lateMs = missed * Math.max(1_000, traffic.pace.everyMs);
  const age = (id: string) => reported.get(id) ?? Number.POSITIVE_INFINITY;
  const isHeard = (id: string) => age(id) <= lateMs;
  const callers = traffic.meters.callersOf(service).filter((id) => xds.connected.has(id) || age(id) < callerGoneMs);
  return {
    callers: callers.length,
    heard: [...new Set([...callers, ...recorded])].filter(isHeard),
    silent: callers.filter((id) => !isHeard(id)),
    connected: recorded.filter((id) => xds.connected.has(id)),
    behind: xds.behind,
  };
}
