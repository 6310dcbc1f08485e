import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Traffic } from '../../core/admin/index.ts';
import { durationFlag } from '../arguments.ts';
import type { TargetOptions } from '../context/target.ts';
import type { Io } from '../io.ts';
import { apiLeaf, callAndEmit, type LeafOptions } from '../leaf.ts';
import { trafficText } from '../text/traffic-text.ts';

interface TrafficOptions extends LeafOptions, TargetOptions {
  readonly since: number;
  readonly all?: boolean;
}

const keptMs = 3_600_000;

function lastHour(text: string): number {
  const ms = durationFlag(text);
  if (ms > keptMs) throw new InvalidArgumentError('It must be an hour at most: what was before is not kept here.');
  return ms;
}

/** A name without its namespace would match nothing, and look like no traffic. */
function callerArgument(text: string): string {
  if (text === '-' || text.includes('/')) return text;
  throw new InvalidArgumentError('It must be NAMESPACE/SERVICE_ACCOUNT, NAMESPACE/, or - for anybody.');
}

export function addTraffic(program: Command, io: Io): void {
  apiLeaf(program, 'traffic', 'who called what in the last hour, as the proxies counted it', [
    'traffic',
    'traffic shop/web shop/payments --since 5m',
    "traffic --output json | jq '.flows[] | select(.success < 0.99)'",
  ])
    .argument('[src]', 'NAMESPACE/SERVICE_ACCOUNT of the caller, NAMESPACE/, or - for anybody', callerArgument)
    .argument('[dst]', 'NAMESPACE/NAME of a service, NAMESPACE/, or a host')
    .addOption(new Option('--since <duration>', 'how far back, an hour at most').argParser(lastHour).default(3_600_000, '1h'))
    .option('--all', 'what both ends and gateways counted, each by itself')
    .action(async (src: string | undefined, dst: string | undefined, options: TrafficOptions) => {
      const query = new URLSearchParams({ since: String(Math.max(1, Math.round(options.since / 1_000))) });
      if (src !== undefined && src !== '-') query.set('source', src);
      if (dst !== undefined) query.set('destination', dst);
      if (options.all === true) query.set('all', 'true');
      await callAndEmit(io, options, (client) => client.get<Traffic>(`/v1/traffic?${query}`), trafficText);
    });
}
