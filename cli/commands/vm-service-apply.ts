import { MeshError } from '../../core/errors.ts';
import { systemClock } from '../../core/system-clock.ts';
import type { AgentStatus, EditedOptions } from '../../sidecar-vm/main.ts';
import { CliError } from '../cli-error.ts';
import { exitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { askAgent } from './agent-admin.ts';
import type { Listen } from './vm-join-flags.ts';

const takeOverMs = 60_000;
const verdictMs = 10_000;
const pollMs = 100;

/** `serves`: the agent runs on it, and the control plane knows. `saved`: from the next start on. */
export interface Applied {
  readonly result: 'serves' | 'saved';
  /** What is left to do; empty for `serves`. */
  readonly next: string;
}

/**
 * Has the agent that runs here take over what was saved, by a new worker beside the one that runs, and asks what the control plane says. What it refuses is
 * undone, so that the services before go on. `sure`: nobody needs to be asked, as for what is taken away.
 */
export async function applyServices(edited: EditedOptions, admin: Listen, sure: boolean, io: Io): Promise<Applied> {
  const { options, running, undo } = edited;
  if (!running) return { result: 'saved', next: 'isthmus agent' };
  if (options.proxy !== 'isthmus') return { result: 'saved', next: 'start the agent again: what an Envoy listens on is not handed over' };
  const { reloadAgent } = await import('../../sidecar-vm/main.ts');
  const reload = () => reloadAgent(options.stateDir, takeOverMs, systemClock, io.signal);
  try {
    await reload();
  } catch (error) {
    if (error instanceof MeshError && error.code === 'CONFLICT')
      return { result: 'saved', next: `start the agent again: ${error.message}` };
    await undo();
    throw error;
  }
  const status = await verdict(admin, io.signal);
  if (status?.registration === 'registered') return { result: 'serves', next: '' };
  if (sure) return { result: 'saved', next: 'callers hear of it when a control plane answers again' };
  await undo();
  await reload();
  const reason = status?.stages.find(({ stage }) => stage === 'registered')?.reason ?? 'the agent did not answer';
  if (status?.registration === 'refused') {
    const next = 'make a token for all that this machine is to serve (isthmus vm token --service ...), and join with it';
    throw new CliError(exitCode.refused, 'PERMISSION_DENIED', `refused, and nothing was changed: ${reason}`, next);
  }
  const next = 'run it again when one answers: isthmus vm status';
  throw new CliError(exitCode.unreachable, 'PEER_UNREACHABLE', `no control plane could be asked, so nothing was changed: ${reason}`, next);
}

/** Once the new worker has heard from a control plane; the last that was said where it does not in time. */
async function verdict(admin: Listen, signal: AbortSignal): Promise<AgentStatus | undefined> {
  const deadline = systemClock.monotonic() + verdictMs;
  let last: AgentStatus | undefined;
  while (systemClock.monotonic() < deadline) {
    try {
      last = await askAgent(admin, signal);
      if (last.registration === 'registered' || last.registration === 'refused') return last;
    } catch (error) {
      // It opens its ports one by one.
      if (!(error instanceof CliError)) throw error;
    }
    await systemClock.sleep(pollMs, signal);
  }
  return last;
}
