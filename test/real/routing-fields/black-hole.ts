import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { waitingAt } from '../../support/listen-queue.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

/** Of callers that the kernel keeps for who takes nobody. */
const backlog = 1;
const program = `require('net').createServer().listen({port: 0, host: '127.0.0.1', backlog: ${backlog}}, function () { console.log(this.address().port); });`;

/** A port whose listener takes nobody and whose queue is full: the kernel drops what comes, as a firewall does. */
export async function startBlackHole(t: TestContext): Promise<number> {
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(said.toString());
  child.kill('SIGSTOP');
  const waiting: Socket[] = [];
  onEnd(t, async () => {
    for (const socket of waiting) socket.destroy();
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
  // By what the kernel says: who is late to hear that a connection is open does not know whether it was taken. It keeps one more than its backlog.
  await until('the queue to be full', async () => {
    if ((await waitingAt(port)) > backlog) return true;
    waiting.push(connect({ host: '127.0.0.1', port }).on('error', () => {}));
    return false;
  });
  return port;
}
