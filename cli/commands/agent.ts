import type { Command } from 'commander';
import { formatViolation } from '../../core/validate.ts';
import type { AgentOptions, AgentStatus } from '../../sidecar-vm/main.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { emit, type Io, type OutputFormat } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { usualStateDir } from './vm-join-flags.ts';

export function addAgent(program: Command, io: Io): void {
  leaf(program, 'agent', 'run the agent of a machine that has joined, as after a reboot', [
    'agent',
    'agent --state-dir /var/lib/isthmus-agent',
  ])
    .option('--state-dir <dir>', 'what isthmus vm join wrote', usualStateDir)
    .action(async (flags: LeafOptions & { readonly stateDir: string }) => serveAgent(await savedOptions(flags.stateDir), io, flags.output));
}

/** Runs until the process is told to stop. The one line on standard error says where to look. */
export async function serveAgent(options: AgentOptions, io: Io, output: OutputFormat): Promise<void> {
  const { startAgent } = await import('../../sidecar-vm/main.ts');
  const agent = await startAgent(options, {}, io.signal);
  const { inbound, dns, admin } = agent;
  const at = (listener: { address: string; port: number }) => `${listener.address}:${listener.port}`;
  if (output === 'json') emit(io, output, started(agent.status(), { inbound: at(inbound), dns: at(dns), admin: at(admin) }), '');
  else io.err(`${options.instance} is in the mesh: inbound ${at(inbound)}, DNS ${at(dns)}, status on http://${at(admin)}/v1/agent\n`);
  await agent.ended;
}

function started(status: AgentStatus, listeners: Readonly<Record<string, string>>) {
  return { instance: status.instance, spiffeId: status.identity?.spiffeId ?? null, ...listeners };
}

/** What `vm join` saved, or everything that is wrong with it. */
export async function savedOptions(stateDir: string): Promise<AgentOptions> {
  const { loadAgentOptions } = await import('../../sidecar-vm/main.ts');
  const options = await loadAgentOptions(stateDir);
  if (options.ok) return options.value;
  throw new CliError(exitCode.invalid, 'CONFIG_INVALID', options.violations.map(formatViolation).join('\n  '));
}
