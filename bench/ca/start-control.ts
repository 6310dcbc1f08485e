import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { CaControlBrief, CaControlCost, CaControlOrder, CaControlReady, CaControlUsage } from './contract.ts';

/** The argument with which main serves in place of measuring. */
export const caControlArgument = 'ca-control-process';
const patienceMs = 120_000;

/** As deploy/systemd/isthmus-control.service has it: Node reads each TLS connection into 64 KiB of its own, of which a page or two are used. */
const allocator = { MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_MMAP_MAX_: '49152' };

/** A control plane in a process of its own, so that its memory and CPU are its own. */
export interface CaControl extends CaControlReady {
  usage(): Promise<CaControlUsage>;
  cost(): Promise<CaControlCost>;
  /** As a crash does it. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function startCaControl(brief: CaControlBrief): Promise<CaControl> {
  const [, main = ''] = process.argv;
  const child = fork(main, [caControlArgument], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--expose-gc'],
    env: { ...process.env, ...allocator },
  });
  const exited = once(child, 'exit');
  const ask = async (order: CaControlBrief | CaControlOrder): Promise<unknown> => {
    const signal = AbortSignal.timeout(patienceMs);
    const answered = once(child, 'message', { signal });
    child.send(order);
    const first = await Promise.race([answered, exited.then(() => undefined)]);
    if (first === undefined) throw new Error('the control plane under test ended before it answered');
    return first[0];
  };
  const ready = (await ask(brief)) as CaControlReady;
  const end = async (how: () => void) => {
    how();
    const hung = setTimeout(() => child.kill('SIGKILL'), 30_000);
    await exited;
    clearTimeout(hung);
  };
  return {
    ...ready,
    usage: () => ask('usage') as Promise<CaControlUsage>,
    cost: () => ask('cost') as Promise<CaControlCost>,
    kill: () => end(() => child.kill('SIGKILL')),
    stop: () => end(() => (child.connected ? child.disconnect() : child.kill())),
  };
}
