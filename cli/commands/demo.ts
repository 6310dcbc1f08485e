import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import type { OwnRegistry } from '../demo/site-config.ts';
import { exitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';

interface DemoFlags {
  readonly once?: boolean;
  readonly consul?: string;
  readonly nomad?: string;
  readonly kubeconfig?: string;
}

export function addDemo(program: Command, io: Io): void {
  program
    .command('demo')
    .description('two clusters, a VM and their gateways on loopback, each step shown with its result; needs no root')
    .option('--once', 'end after the last step, with exit code 0 when all held')
    .option('--consul <url>', 'read your own Consul too, such as http://127.0.0.1:8500')
    .option('--nomad <url>', 'read your own Nomad too, such as http://127.0.0.1:4646')
    .option('--kubeconfig <file>', 'read your own Kubernetes cluster too')
    .addHelpText(
      'after',
      '\nExamples:\n  $ isthmus demo\n  $ isthmus demo --once\n  $ isthmus demo --consul http://127.0.0.1:8500 --nomad http://127.0.0.1:4646\n\nTokens for Consul and Nomad come from CONSUL_HTTP_TOKEN and NOMAD_TOKEN.',
    )
    .action(async (flags: DemoFlags) => {
      const { runDemo } = await import('../demo/demo.ts');
      const held = await runDemo({ once: flags.once === true, registries: registriesOf(flags) }, io);
      if (!held) throw new CliError(exitCode.failed, 'INTERNAL', 'the demonstration did not hold', 'the logs named above say why');
    });
}

function registriesOf(flags: DemoFlags): OwnRegistry[] {
  return [
    ...(flags.consul === undefined ? [] : [{ type: 'consul' as const, url: flags.consul }]),
    ...(flags.nomad === undefined ? [] : [{ type: 'nomad' as const, url: flags.nomad }]),
    ...(flags.kubeconfig === undefined ? [] : [{ type: 'kubernetes' as const, kubeconfig: flags.kubeconfig }]),
  ];
}
