import { Counter, type Registry } from 'prom-client';
import type { Log } from '../../core/log.ts';

/** What to do about it, by the words of EngineOptions.onTrouble. */
const hints: Readonly<Record<string, string>> = {
  'descriptors-exhausted':
    'no descriptor is left: new connections are refused until some end; raise the limit (LimitNOFILE), or spread callers over more machines',
  'ports-exhausted':
    'no local port is left to call an endpoint from: new connections there are refused until some end; widen net.ipv4.ip_local_port_range, or add endpoints or gateways',
  'too-many-connections':
    'as many connections are open as there may be: new ones are refused until some end; spread callers over more machines',
  'too-many-from-source': 'one source has as many connections open as it may: its new ones are refused until some end',
  'memory-short':
    "memory is nearly used up: new connections are refused until there is room again; raise the limit (MemoryMax, the container's), or spread callers over more machines",
  'memory-unknown': 'how much memory is left cannot be read: what was found last holds, and callers are refused or taken as it says',
  'tables-refused': 'a configuration was refused by the engine, which goes on by the last that it took: this is a defect, please report it',
};

const name = 'isthmus_engine_troubles_total';

/** For `onTrouble` of all engines of one registry: each is a line of the log, which says what to do, and counts. */
export function troubleTeller(log: Log, registry: Registry): (what: string, detail: string) => void {
  const known = registry.getSingleMetric(name) as Counter<'what'> | undefined;
  const help = 'Times that the engine has told of a shortage or a defect, once a second at most for each of its threads';
  const troubles = known ?? new Counter({ name, help, labelNames: ['what'], registers: [registry] });
  return (what, detail) => {
    troubles.inc({ what });
    log.error({ what, detail }, hints[what] ?? 'the engine reports trouble');
  };
}
