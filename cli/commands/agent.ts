import type { Command } from 'commander';
import { type Checked, formatViolation } from '../../core/validate.ts';
import type { AgentOptions } from '../../sidecar-vm/main.ts';
import { CliError } from '../cli-error.ts';
import { type ExitCode, exitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { type LeafOptions, leaf } from '../leaf.ts';
import { engineOption, envoyPathOption, proxyOption } from '../proxy-flags.ts';
import { usualStateDir } from './vm-join-flags.ts';

interface Flags extends LeafOptions {
  readonly stateDir: string;
  readonly proxy?: AgentOptions['proxy'];
  readonly envoyPath?: string;
  readonly engine?: AgentOptions['engine'];
  readonly grpc?: boolean;
  readonly supervise?: boolean;
}

export function addAgent(program: Command, io: Io): void {
  leaf(program, 'agent', 'run the agent of a machine that has joined, as after a reboot', [
    'agent',
    'agent --state-dir /var/lib/isthmus-agent',
    'agent --supervise   # as the systemd unit has it',
    'agent --proxy envoy --envoy-path /usr/local/bin/envoy',
    'agent --grpc   # and see isthmus grpc bootstrap',
  ])
    .option('--state-dir <dir>', 'what isthmus vm join wrote', usualStateDir)
    .addOption(proxyOption().default(undefined, 'what isthmus vm join was told'))
    .addOption(envoyPathOption())
    .addOption(engineOption().default(undefined, 'what isthmus vm join was told'))
    .option('--grpc', 'keep certificates and xDS for proxyless gRPC programs of this machine, also where vm join did not say so')
    .option('--supervise', 'keep its ports open in a process of its own: after SIGHUP the version that is installed then takes over')
    .action(async ({ stateDir, proxy, envoyPath, engine, grpc, supervise }: Flags) => {
      if (supervise === true) return superviseWorkers(io);
      const overrides = {
        ...(proxy === undefined ? {} : { proxy }),
        ...(envoyPath === undefined ? {} : { envoyPath }),
        ...(engine === undefined ? {} : { engine }),
        ...(grpc === undefined ? {} : { grpc }),
      };
      return serveAgent(await withFlags(await savedOptions(stateDir), overrides), io);
    });
}

/** This very command again, as a worker. */
async function superviseWorkers(io: Io): Promise<void> {
  const { superviseAgent } = await import('../../sidecar-vm/supervisor/index.ts');
  const [, program = '', ...given] = process.argv;
  const args = given.filter((each) => each !== '--supervise');
  const code = await superviseAgent(program, args, io.signal);
  if (code !== 0) throw new CliError(code as ExitCode, 'INTERNAL', `the agent ended with exit code ${code}: its log says why`);
}

/** Runs until the process is told to stop. Its ports go to standard output as one JSON line, before the access log; to people on standard error. */
export async function serveAgent(options: AgentOptions, io: Io): Promise<void> {
  const { startAgent, supervised } = await import('../../sidecar-vm/main.ts');
  const worker = supervised();
  await worker?.begin();
  const agent = await startAgent(options, worker === undefined ? {} : { listeners: worker.listeners }, io.signal).catch(
    (error: unknown) => {
      worker?.giveUp();
      throw error;
    },
  );
  worker?.serve(agent);
  const { inbound, dns, admin } = agent;
  const { instance, identity } = agent.status();
  const ports = { inbound: inbound.port, dns: dns.port, admin: admin.port };
  io.out(`${JSON.stringify({ ready: true, instance, spiffeId: identity?.spiffeId ?? null, ports })}\n`);
  const at = (listener: { address: string; port: number }) => `${listener.address}:${listener.port}`;
  io.err(`${instance} serves: inbound ${at(inbound)}, DNS ${at(dns)}, status on http://${at(admin)}/v1/agent\n`);
  await agent.ended;
}

/** What `vm join` saved, or everything that is wrong with it. */
export async function savedOptions(stateDir: string): Promise<AgentOptions> {
  const { loadAgentOptions } = await import('../../sidecar-vm/main.ts');
  return accepted(await loadAgentOptions(stateDir));
}

/** Flags of a start may not suit what was saved: an Envoy has no limits of connections that we could set, and one identity. */
async function withFlags(saved: AgentOptions, flags: Partial<AgentOptions>): Promise<AgentOptions> {
  const { parseAgentOptions } = await import('../../sidecar-vm/main.ts');
  return accepted(parseAgentOptions({ ...saved, ...flags }));
}

function accepted(options: Checked<AgentOptions>): AgentOptions {
  if (options.ok) return options.value;
  throw new CliError(exitCode.invalid, 'CONFIG_INVALID', options.violations.map(formatViolation).join('\n  '));
}
