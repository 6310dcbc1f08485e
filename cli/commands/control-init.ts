import type { Command } from 'commander';
import type { InitResult } from '../../control/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { formatViolation } from '../../core/validate.ts';
import { collect } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { contextPath, saveContext } from '../context/context-file.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';

interface InitFlags extends LeafOptions {
  readonly config: string[];
  readonly replace?: boolean;
  readonly saveContext: boolean;
}

export function addControlInit(control: Command, io: Io): void {
  leaf(control, 'init', 'make the state of a control plane, and the credential of its first admin, which is printed once', [
    'control init -c isthmus.yaml',
    'control init -c isthmus.yaml --replace   # when the credential was lost or has expired',
  ])
    .requiredOption('-c, --config <path>', 'configuration file or folder; may be repeated', collect)
    .option('--replace', 'end an earlier credential that is still valid')
    .option('--no-save-context', 'do not write the context file that other commands read')
    .action(async (flags: InitFlags) => {
      const { initControl, parseHostPort } = await import('../../control/index.ts');
      const made = await initControl({ config: flags.config, replace: flags.replace === true, clock: systemClock });
      if (!made.ok) {
        const all = made.violations.map((v) => `  ${formatViolation(v)}`).join('\n');
        throw new CliError(
          exitCode.invalid,
          'CONFIG_INVALID',
          `the configuration is not valid:\n${all}`,
          'correct them all, and run it again',
        );
      }
      const path = contextPath(io.env);
      if (flags.saveContext) await saveContext(path, made.value.cluster, contextOf(made.value, parseHostPort(made.value.apiListen)));
      const expiresAt = new Date(made.value.credentialExpiresAt).toISOString();
      const { cluster, stateDir, credential } = made.value;
      emit(
        io,
        flags.output,
        { cluster, stateDir, credential, expiresAt, contextFile: flags.saveContext ? path : null },
        [
          `State of cluster ${cluster}: ${stateDir}`,
          `First admin's credential, until ${expiresAt}; it is not shown again:`,
          `  ${credential}`,
          ...(flags.saveContext ? [`Commands on this machine find it in ${path}.`] : []),
          `Next: isthmus control ${flags.config.map((c) => `-c ${c}`).join(' ')}`,
        ].join('\n'),
      );
    });
}

function contextOf(made: InitResult, listen: { readonly host: string; readonly port: number } | undefined) {
  const host = listen?.host === '0.0.0.0' ? '127.0.0.1' : listen?.host === '::' ? '::1' : (listen?.host ?? '127.0.0.1');
  return {
    api: `${host.includes(':') ? `[${host}]` : host}:${listen?.port ?? 0}`,
    cluster: made.cluster,
    caFile: made.apiTrustFile,
    credential: made.credential,
  };
}
