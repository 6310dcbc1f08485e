import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const program = `require('net').createServer().listen({port: 0, host: '127.0.0.1', backlog: 1}, function () { console.log(this.address().port); });`;

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
  // Those that are not open after a while will not be.
  await until('the queue to be full', async () => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => {});
    waiting.push(socket);
    const open = await Promise.race([once(socket, 'connect').then(() => true), new Promise((resolve) => setTimeout(resolve, 200, false))]);
    return open === false;
  });
  return port;
}
