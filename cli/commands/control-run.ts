import { type Command, Option } from 'commander';
import { collect, durationFlag } from '../arguments.ts';
import { emitReady, type Io } from '../io.ts';
import type { LeafOptions } from '../leaf.ts';

interface RunFlags extends LeafOptions {
  readonly config?: string[];
  readonly drain: number;
}

/** `isthmus control -c FILE` itself: the group's own action, so that units and manifests stay short. */
export function addControlRun(control: Command, io: Io): void {
  control
    .option('-c, --config <path>', 'configuration file or folder; may be repeated', collect)
    .addOption(
      new Option('--drain <duration>', 'from the signal to the end of the last connection').argParser(durationFlag).default(30_000, '30s'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  isthmus control init -c isthmus.yaml\n  isthmus control -c isthmus.yaml\n\nSIGHUP reads the configuration again; SIGTERM drains.',
    )
    .action(async (flags: RunFlags) => {
      if (flags.config === undefined || flags.config.length === 0) return control.help({ error: true });
      const { runControl } = await import('../../control/main.ts');
      const onReady = (ports: object) => emitReady(io, { ports });
      await runControl({ config: flags.config, drainMs: flags.drain, onReady }, io.signal);
    });
}
