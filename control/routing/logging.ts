import type { AccessLogging, SideLogging } from '../../core/access-log/index.ts';
import type { Workload } from './contract.ts';
import type { TelemetryObject } from './objects.ts';
import { type ByNamespace, nearestFirst, telemetrySelector } from './select-workload.ts';

/** Of each side what the nearest Telemetry says that speaks of it, and in it the last entry. Undefined: everything is logged. */
export function loggingOf(telemetries: ByNamespace<TelemetryObject>, workload: Workload): AccessLogging | undefined {
  const entries = nearestFirst(telemetries, telemetrySelector, workload).flatMap((each) => each.spec.accessLogging.toReversed());
  const side = (name: 'client' | 'server'): SideLogging => {
    const said = entries.find((entry) => entry.side === name || entry.side === 'both');
    if (said === undefined || said.disabled) return { enabled: said === undefined };
    return { enabled: true, ...(said.filter === undefined ? {} : { filter: said.filter }) };
  };
  const [client, server] = [side('client'), side('server')];
  const all = ({ enabled, filter }: SideLogging) => enabled && filter === undefined;
  return all(client) && all(server) ? undefined : { client, server };
}
