import type { ServiceKey } from '../../core/model/index.ts';
import type { Sight } from '../migrate/replicas/index.ts';
import type { TrafficHome } from './traffic.ts';

/** Reports that may be missed before a caller counts as silent. */
const missed = 3;
/** A caller that is neither connected nor heard of for so long has ended: it calls nobody. */
const goneMs = 60_000;

/** Who calls the service, of the clients of this replica: who is silent, and who does not hold the weights in force. */
export function proxiesOf(
  service: ServiceKey,
  traffic: TrafficHome,
  xds: { readonly connected: ReadonlySet<string>; readonly behind: readonly string[] },
): Sight['proxies'] {
  const ages = new Map(traffic.status().map(({ id, ageMs }) => [id, ageMs]));
  const lateMs = missed * Math.max(1_000, traffic.pace.everyMs);
  const age = (id: string) => ages.get(id) ?? Number.POSITIVE_INFINITY;
  const callers = traffic.meters.callersOf(service).filter((id) => xds.connected.has(id) || age(id) < goneMs);
  return {
    callers: callers.length,
    heard: callers.filter((id) => age(id) <= lateMs),
    silent: callers.filter((id) => age(id) > lateMs),
    behind: xds.behind,
  };
}
