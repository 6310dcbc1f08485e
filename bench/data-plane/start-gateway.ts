import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { GatewayBrief, GatewayUnderTest } from './contract.ts';

/** The argument with which main serves in place of measuring. */
export const gatewayProcessArgument = 'gateway-process';

/** Our gateway in a process of its own. Its access log is written, to nowhere. */
export async function startGatewayProcess(brief: GatewayBrief): Promise<GatewayUnderTest> {
  const [, main = ''] = process.argv;
  const child = fork(main, [gatewayProcessArgument], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  child.send(brief);
  const first = await Promise.race([once(child, 'message'), exited.then(() => undefined)]);
  if (first === undefined) throw new Error('the gateway under test ended before it served');
  const [{ port }] = first as [{ port: number }];
  const stop = async () => {
    if (child.connected) child.disconnect();
    await exited;
  };
  return { pid: child.pid ?? 0, port, stop };
}
