import { fork } from 'node:child_process';
import { systemClock } from '../../core/system-clock.ts';
import { createAgentLog } from '../agent-log.ts';
import { giveBackAtRest } from '../parts/rest.ts';
import { supervisedVariable } from './protocol.ts';
import { Supervisor } from './supervisor.ts';

/**
 * Runs `program` (a file of JavaScript) with `args` as the worker of a supervisor, until `signal` aborts or the worker has ended for good;
 * its exit code. SIGHUP: a new worker takes over from it. What stands in the files then is what runs.
 */
export async function superviseAgent(program: string, args: readonly string[], signal: AbortSignal): Promise<number> {
  const env = { ...process.env, [supervisedVariable]: '1' };
  const supervisor = new Supervisor({
    fork: () => fork(program, [...args], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    clock: systemClock,
    random: Math.random,
    log: createAgentLog('supervisor'),
  });
  const upgrade = () => supervisor.upgrade();
  process.on('SIGHUP', upgrade);
  const over = new AbortController();
  const resting = giveBackAtRest(systemClock, over.signal);
  try {
    return await supervisor.run(signal);
  } finally {
    process.off('SIGHUP', upgrade);
    over.abort();
    await resting;
  }
}
