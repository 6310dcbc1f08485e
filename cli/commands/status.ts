import { type Command, Option } from 'commander';
import type { Status } from '../../core/admin/index.ts';
import { isAborted } from '../../core/lifecycle.ts';
import { systemClock } from '../../core/system-clock.ts';
import { durationFlag } from '../arguments.ts';
import type { TargetOptions } from '../context/target.ts';
import { emit, type Io } from '../io.ts';
import { apiLeaf, clientFor, type LeafOptions } from '../leaf.ts';
import { statusText } from '../text/status-text.ts';

interface StatusOptions extends LeafOptions, TargetOptions {
  readonly watch?: boolean;
  readonly interval: number;
}

export function addStatus(program: Command, io: Io): void {
  apiLeaf(program, 'status', 'sources, services, peers, gateways, clients, certificates and conflicts of a cluster', [
    'status',
    'status --watch --interval 5s',
    'status --output json | jq \'.sources[] | select(.state != "live")\'',
  ])
    .option('-w, --watch', 'print again and again until interrupted')
    .addOption(new Option('--interval <duration>', 'between two prints of --watch').argParser(durationFlag).default(2000, '2s'))
    .action(async (options: StatusOptions) => {
      const client = await clientFor(options, io);
      do {
        const status = await client.get<Status>('/v1/status');
        // Clears the screen and goes to its top.
        if (options.watch === true && io.interactive) io.out('\u001b[2J\u001b[H');
        emit(io, options.output, status, statusText(status));
      } while (options.watch === true && (await pause(options.interval, io.signal)));
    });
}

/** False: interrupted. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await systemClock.sleep(ms, signal);
    return true;
  } catch (error) {
    if (isAborted(error)) return false;
    throw error;
  }
}
