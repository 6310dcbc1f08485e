import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatViolation } from '../../core/validate.ts';
import type { CapturePlan } from '../../sidecar-vm/main.ts';
import { collect, portFlag } from '../arguments.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import { savedOptions } from './agent.ts';
import { portsFlag, usualStateDir } from './vm-join-flags.ts';

export interface CaptureFlags {
  readonly stateDir: string;
  readonly agentUser?: string;
  readonly port?: number;
  readonly cidr: readonly string[];
  readonly excludeCidr: readonly string[];
  readonly excludePorts: readonly number[];
  readonly includeUser: readonly string[];
  readonly excludeUser: readonly string[];
  readonly inbound: readonly InboundFlag[];
}

export interface InboundFlag {
  readonly port: number;
  readonly to: number;
}

/** Of `vm capture install` and `vm capture print`. */
export function captureFlags(command: Command): Command {
  const list = (flags: string, text: string) => new Option(flags, text).argParser(collect).default([], 'none');
  return command
    .option('--state-dir <dir>', 'what isthmus vm join wrote; its owner is the user of the agent', usualStateDir)
    .option('--agent-user <user>', 'name or id of the user that the agent runs as (default: the owner of --state-dir)')
    .option('--port <port>', "the agent's port for what is captured (default: as isthmus vm join --capture was told)", portFlag)
    .addOption(list('--cidr <cidr>', 'IPv4 destinations to lead to the agent beside 127.64.0.0/10; may be repeated'))
    .addOption(list('--exclude-cidr <cidr>', 'destinations that are left alone; may be repeated'))
    .addOption(
      new Option('--exclude-ports <ports>', 'destination ports that are left alone, beside 22').argParser(portsFlag).default([], 'none'),
    )
    .addOption(list('--include-user <user>', 'lead the connections of these users alone; name or id, may be repeated'))
    .addOption(list('--exclude-user <user>', 'leave the connections of a user alone; name or id, may be repeated'))
    .addOption(
      new Option('--inbound <port=to>', 'a port of this machine whose connections from elsewhere go to another port of it; may be repeated')
        .argParser(inboundFlag)
        .default([], 'none'),
    );
}

/** What the flags, and the state directory, say; or everything that is wrong with it. */
export async function capturePlanOf(flags: CaptureFlags): Promise<CapturePlan> {
  const { parseCapturePlan } = await import('../../sidecar-vm/main.ts');
  const [agentUid, includeUids, excludeUids] = [
    flags.agentUser === undefined ? await ownerOf(flags.stateDir) : await userId(flags.agentUser),
    await Promise.all(flags.includeUser.map(userId)),
    await Promise.all(flags.excludeUser.map(userId)),
  ];
  const plan = parseCapturePlan({
    port: flags.port ?? (await portOf(flags.stateDir)),
    agentUid,
    cidrs: [...flags.cidr],
    excludeCidrs: [...flags.excludeCidr],
    excludePorts: [...flags.excludePorts],
    includeUids,
    excludeUids,
    inbound: [...flags.inbound],
  });
  if (plan.ok) return plan.value;
  const all = plan.violations.map((v) => `  ${formatViolation(v)}`).join('\n');
  throw new CliError(exitCode.invalid, 'CONFIG_INVALID', `this is not valid:\n${all}`, 'correct it all, and run it again');
}

async function portOf(stateDir: string): Promise<number> {
  const { capture } = await savedOptions(stateDir);
  if (capture !== undefined) return capture.port;
  const next = 'run isthmus vm join again with --capture (the same token will do), or say which --port';
  throw new CliError(exitCode.invalid, 'CONFIG_INVALID', `the agent of ${stateDir} takes nothing that is captured`, next);
}

async function ownerOf(stateDir: string): Promise<number> {
  try {
    return (await stat(stateDir)).uid;
  } catch {
    const next = 'join first (isthmus vm join --save-only), or say which --agent-user';
    throw new CliError(exitCode.invalid, 'CONFIG_INVALID', `${stateDir} is not there, so its owner is not known`, next);
  }
}

function userId(text: string): Promise<number> {
  if (/^[0-9]{1,10}$/.test(text)) return Promise.resolve(Number(text));
  return new Promise((resolve, reject) => {
    execFile('id', ['-u', '--', text], (error, stdout) => {
      if (error === null) resolve(Number(stdout));
      else reject(new CliError(exitCode.invalid, 'CONFIG_INVALID', `there is no user ${text} here`, 'give a name or id that id(1) knows'));
    });
  });
}

function inboundFlag(text: string, before: readonly InboundFlag[]): readonly InboundFlag[] {
  const [, port, to] = /^([0-9]{1,5})=([0-9]{1,5})$/.exec(text) ?? [];
  if (port === undefined || to === undefined) throw new InvalidArgumentError('It must be PORT=OTHER_PORT, such as 8080=15106.');
  return [...before, { port: portFlag(port), to: portFlag(to) }];
}
