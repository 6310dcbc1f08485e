import { factsOf } from './attributes.ts';
import type { AccessLogging, SideLogging } from './contract.ts';
import { type LogFilter, parseLogFilter } from './filter.ts';

/** A filter, ready to be asked. */
export interface CompiledLogging {
  readonly client: CompiledSide;
  readonly server: CompiledSide;
}

/** Nothing, everything, or what a filter takes. */
type CompiledSide = boolean | LogFilter;

export function compileLogging({ client, server }: AccessLogging): CompiledLogging {
  return { client: compileSide(client), server: compileSide(server) };
}

/** A filter that cannot be read, such as a newer one, keeps everything: better too much than what nobody finds. */
function compileSide({ enabled, filter }: SideLogging): CompiledSide {
  if (!enabled || filter === undefined) return enabled;
  const parsed = parseLogFilter(filter);
  return parsed.ok ? parsed.value : true;
}

/** Of an entry whose `reporter` is `source` or `destination`, as in Istio's metrics. */
export function isLogged(entry: Readonly<Record<string, unknown>>, { client, server }: CompiledLogging): boolean {
  const side = entry['reporter'] === 'destination' ? server : client;
  return typeof side === 'boolean' ? side : side.matches(factsOf(entry));
}
