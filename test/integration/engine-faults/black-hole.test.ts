import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { engines } from '../../support/engine-faults/brief.ts';
import { EchoCaller, isServed } from '../../support/engine-faults/echo-caller.ts';
import { EngineProcess } from '../../support/engine-faults/engine-process.ts';
import { waitingAt } from '../../support/listen-queue.ts';
import { TestSockets } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const connectTimeoutMs = 400;
/** Of callers that the black hole's kernel keeps for it. */
const backlog = 1;
/** Less than what a timeout takes that nobody has set (5 s), and more than what a busy machine adds. */
const spareMs = 4_000;

/** An echo server of a process that stands still, with all the callers waiting that its kernel keeps for it: it answers no SYN any more. */
async function blackHole(t: TestContext): Promise<{ readonly port: number; wake(): void }> {
  const script = `require('net').createServer(c => c.on('error', () => {}).pipe(c)).listen({ port: 0, host: '127.0.0.1', backlog: ${backlog} }, function () { console.log(this.address().port) })`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const filling: Socket[] = [];
  const exited = once(child, 'exit');
  onEnd(t, async () => {
    for (const socket of filling) socket.destroy();
    child.kill('SIGKILL');
    await exited;
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const port = Number(line);
  child.kill('SIGSTOP');
  // One more than its backlog: from then on the kernel drops every SYN.
  await until('as many callers to wait as its kernel keeps', async () => {
    if ((await waitingAt(port)) > backlog) return true;
    filling.push(connect(port, '127.0.0.1').on('error', () => {}));
    return false;
  });
  // Another SYN of those that were too many would take the place of somebody's when there is room again.
  for (const socket of filling) if (socket.connecting) socket.destroy();
  return { port, wake: () => void child.kill('SIGCONT') };
}

for (const engine of engines) {
  test(`engine ${engine}: whom a black hole does not answer, another endpoint serves within the connect timeout`, async (t) => {
    const hole = await blackHole(t);
    const sockets = new TestSockets();
    onEnd(t, () => sockets.close());
    const good = await sockets.serve((socket) => socket.pipe(socket));
    const running = await EngineProcess.start({ engine, limits: {}, ports: [hole.port, good.port], connectTimeoutMs });
    onEnd(t, () => running.stop());
    const began = performance.now();
    const callers = Array.from({ length: 100 }, () => new EchoCaller({ port: running.ports.plain }));
    onEnd(t, () => Promise.all(callers.map((caller) => caller.close())));
    await until('all to be served', () => callers.every(({ served }) => served));
    const took = performance.now() - began;
    assert.ok(took >= connectTimeoutMs && took < connectTimeoutMs + spareMs, `it took ${took} ms`);
    const { attempts, open } = await until('word of the attempt that served each', async () => {
      const look = await running.look();
      return (look.attempts[`${good.port} ok`] ?? 0) >= 100 ? look : undefined;
    });
    assert.deepEqual([open, attempts[`${good.port} ok`]], [100, 100]);
    assert.ok((attempts[`${hole.port} connect`] ?? 0) >= 40, JSON.stringify(attempts));
    assert.equal(attempts[`${hole.port} ok`], undefined);
  });

  test(`engine ${engine}: with a black hole alone it gives callers up in time, keeps nothing, and serves when the hole is none`, async (t) => {
    const hole = await blackHole(t);
    const running = await EngineProcess.start({ engine, limits: {}, ports: [hole.port], connectTimeoutMs });
    onEnd(t, () => running.stop());
    const to = { port: running.ports.plain };
    const began = performance.now();
    const callers = Array.from({ length: 100 }, () => new EchoCaller(to));
    await until('all to be given up', () => callers.every(({ closedAt }) => closedAt !== undefined));
    const took = performance.now() - began;
    assert.ok(took >= connectTimeoutMs && took < connectTimeoutMs + spareMs, `it took ${took} ms`);
    await until('nothing to be left open', async () => (await running.look()).open === 0);
    const { ended, last } = await running.told();
    assert.deepEqual(ended, { 'upstream-connect': 100 });
    assert.match(last['upstream-connect']?.detail ?? '', /connect timeout/);
    assert.deepEqual(last['upstream-connect']?.flags, ['UF']);
    hole.wake();
    await until('a caller to be served', () => isServed(to));
    await until('nothing to be left open', async () => (await running.look()).open === 0);
  });
}
