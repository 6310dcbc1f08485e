import type { Command } from 'commander';
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

export function addTraffic(program: Command, io: Io): void {
  apiLeaf(program, 'traffic', 'who called what in the last hour, as the proxies counted it', [
    'traffic',
    'traffic shop/web shop/payments --since 5m',
    "traffic --output json | jq '.flows[] | select(.success < 0.99)'",
  ])
    .argument('[src]', 'NAMESPACE/SERVICE_ACCOUNT of the caller, NAMESPACE/, or - for anybody')
    .argument('[dst]', 'NAMESPACE/NAME of a service, NAMESPACE/, or a host')
    .option('--since <duration>', 'how far back, an hour at most', durationFlag, 3_600_000)
    .option('--all', 'what both ends and gateways counted, each by itself')
    .action(async (src: string | undefined, dst: string | undefined, options: TrafficOptions) => {
      const query = new URLSearchParams({ since: String(Math.max(1, Math.round(options.since / 1_000))) });
      if (src !== undefined && src !== '-') query.set('source', src);
      if (dst !== undefined) query.set('destination', dst);
      if (options.all === true) query.set('all', 'true');
      await callAndEmit(io, options, (client) => client.get<Traffic>(`/v1/traffic?${query}`), trafficText);
    });
}
