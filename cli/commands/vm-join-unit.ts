import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { AgentOptions } from '../../sidecar-vm/main.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { usualStateDir } from './vm-join-flags.ts';

const run = promisify(execFile);
const unit = 'isthmus-agent';
const account = 'isthmus';
const patienceMs = 60_000;
const pollMs = 250;

/** Whether systemd can run the agent: as root, with our unit installed, and with the state where the unit looks for it. */
export async function unitFits({ stateDir }: AgentOptions): Promise<boolean> {
  if (process.getuid?.() !== 0 || stateDir !== usualStateDir) return false;
  try {
    // As sd_booted(3) does.
    await access('/run/systemd/system');
    await run('systemctl', ['cat', unit]);
    return true;
  } catch {
    return false;
  }
}

/** Gives the state to the unit's account, and has systemd run the agent from now on; returns once it serves. CliErrors say what to look at. */
export async function startUnit({ stateDir, admin }: AgentOptions, io: Io): Promise<void> {
  await command('chown', ['-R', `${account}:${account}`, stateDir]);
  await command('systemctl', ['enable', unit]);
  await command('systemctl', ['restart', unit]);
  const url = `http://${admin.address.includes(':') ? `[${admin.address}]` : admin.address}:${admin.port}/healthz/ready`;
  const deadline = performance.now() + patienceMs;
  let said = '';
  for (;;) {
    const { ready, waitsFor } = await askReady(url);
    if (ready) return;
    if (waitsFor !== '' && waitsFor !== said) io.err(`${waitsFor}\n`);
    said = waitsFor;
    io.signal.throwIfAborted();
    if (performance.now() > deadline) {
      const next = `it goes on trying: isthmus vm status, journalctl -u ${unit}`;
      throw new CliError(
        exitCode.failed,
        'NOT_READY',
        `the agent was started and does not serve yet${said === '' ? '' : `: ${said}`}`,
        next,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

interface Readiness {
  readonly ready: boolean;
  /** The first stage that is missing, and why; '' while nobody answers. */
  readonly waitsFor: string;
}

async function askReady(url: string): Promise<Readiness> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const { ready, stages } = (await response.json()) as {
      readonly ready: boolean;
      readonly stages: readonly { readonly stage: string; readonly ok: boolean; readonly reason: string }[];
    };
    const missing = stages.find((each) => !each.ok);
    return { ready, waitsFor: missing === undefined ? '' : `not yet ${missing.stage}: ${missing.reason}` };
  } catch {
    return { ready: false, waitsFor: '' };
  }
}

async function command(file: string, args: readonly string[]): Promise<void> {
  try {
    await run(file, [...args]);
  } catch (error) {
    const { stderr = '', message } = error as Error & { readonly stderr?: string };
    throw new CliError(exitCode.failed, 'INTERNAL', `${file} ${args.join(' ')}: ${stderr.trim() || message}`);
  }
}
