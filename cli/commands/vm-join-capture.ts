import { type Command, InvalidArgumentError, Option } from 'commander';
import type { AgentOptionsInput } from '../../sidecar-vm/main.ts';
import { portFlag } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';

/** `--capture [PORT]` and `--capture-address HOST=IP` of `vm join`. */
export interface JoinCaptureFlags {
  readonly capture?: number | true;
  readonly captureAddress: Readonly<Record<string, readonly string[]>>;
}

export function joinCaptureFlags(command: Command): Command {
  return command
    .option('--capture [port]', 'take what packet filter rules lead here, see isthmus vm capture install (default port: 15001)', portFlag)
    .addOption(
      new Option(
        '--capture-address <host=ip>',
        'an IPv4 address by which programs here have a mesh service; may be repeated; needs --capture',
      )
        .argParser(captureAddressFlag)
        .default({}, 'none'),
    );
}

export function captureOptionsOf({ capture, captureAddress }: JoinCaptureFlags): Pick<AgentOptionsInput, 'capture'> {
  if (capture === undefined) {
    if (Object.keys(captureAddress).length === 0) return {};
    throw new CliError(exitCode.invalid, 'USAGE', '--capture-address needs --capture', 'give both');
  }
  const addresses = Object.fromEntries(Object.entries(captureAddress).map(([host, all]) => [host, [...all]]));
  return { capture: { ...(capture === true ? {} : { port: capture }), addresses } };
}

function captureAddressFlag(
  text: string,
  before: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, readonly string[]>> {
  const [, host, address] = /^([A-Za-z0-9.-]+)=([0-9.]+)$/.exec(text) ?? [];
  if (host === undefined || address === undefined)
    throw new InvalidArgumentError('It must be HOST=IP, such as payments.shop.mesh.internal=10.1.2.3.');
  const name = host.toLowerCase();
  return { ...before, [name]: [...(before[name] ?? []), address] };
}
