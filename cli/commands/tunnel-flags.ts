import { type Command, InvalidArgumentError } from 'commander';
import type { AgentOptionsInput } from '../../sidecar-vm/main.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';

export interface TunnelFlags {
  readonly behindNat?: boolean;
  readonly tunnels?: number;
}

/** Of a machine that nobody can dial. */
export function addTunnelFlags(command: Command): Command {
  return command
    .option('--behind-nat', 'nobody can dial this machine: it dials gateways of the mesh, and serves through those connections')
    .option('--tunnels <number>', 'behind a NAT: to how many gateways, 1-8 (default: 2)', countFlag);
}

export function tunnelOf({ behindNat, tunnels }: TunnelFlags): Pick<AgentOptionsInput, 'tunnel'> {
  if (behindNat === true) return { tunnel: tunnels === undefined ? {} : { gateways: tunnels } };
  if (tunnels === undefined) return {};
  throw new CliError(exitCode.invalid, 'USAGE', '--tunnels is of a machine behind a NAT', 'give --behind-nat as well, or neither');
}

export function countFlag(text: string): number {
  const count = Number(text);
  if (!/^[0-9]+$/.test(text) || count < 1 || count > 8) throw new InvalidArgumentError('It must be 1-8.');
  return count;
}
