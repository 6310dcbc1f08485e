import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type EngineName, engines } from '../support/engine-faults/brief.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { createNetwork, inNamespace } from './servers/index.ts';
import type { Called, Held, PlaneBrief, PlaneCall } from './silence/plane-process.ts';

const port = 15_443;
/** To notice that a machine has vanished: silent for 250 ms, and no answer to two probes of 200 ms; the rest is what a busy machine adds. The kernel alone takes minutes. */
const noticedMs = 5_000;
/** Less than a connect timeout (5 s), which is what whoever tries the machine that is gone waits for, and more than what a busy machine adds. */
const servedMs = 4_000;
const [asking, idle] = [40, 20];
const echo = `require('net').createServer({ noDelay: true }, c => c.on('error', () => {}).pipe(c)).listen(${port}, '0.0.0.0')`;

function start(t: TestContext, netns: string, args: readonly string[]) {
  const [command, all] = inNamespace(netns, process.execPath, args);
  const child = spawn(command, all, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const exited = once(child, 'exit');
  onEnd(t, async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return child;
}

/** A data plane in that namespace. */
async function startPlane(t: TestContext, netns: string, brief: PlaneBrief) {
  const child = start(t, netns, [fileURLToPath(new URL('./silence/plane-process.js', import.meta.url))]);
  const ask = async (message: PlaneBrief | PlaneCall): Promise<unknown> => {
    const answer = once(child, 'message');
    child.send(message);
    return (await answer)[0];
  };
  assert.equal(await ask(brief), brief.engine);
  return {
    hold: (service: string) => ask({ op: 'hold', service, asking, idle }) as Promise<Held>,
    held: (service: string) => ask({ op: 'held', service }) as Promise<Held>,
    call: (service: string, times = 1) => ask({ op: 'call', service, times }) as Promise<Called>,
  };
}

async function vanish(t: TestContext, engine: EngineName): Promise<void> {
  const network = await createNetwork({ sites: { here: ['gateway'], far: ['vm'], near: ['vm'] }, ports: [port] });
  onEnd(t, () => network.remove());
  const [far, near] = [network.host('far', 'vm'), network.host('near', 'vm')];
  for (const { netns } of [far, near]) start(t, netns, ['-e', echo]);
  const services = { far: [far.address], near: [near.address], both: [far.address, near.address] };
  const plane = await startPlane(t, network.host('here', 'gateway').netns, { engine, services, port });
  for (const service of ['far', 'near']) await until(`${service} to serve`, async () => (await plane.call(service)).served === 1);
  assert.deepEqual([(await plane.hold('far')).open, (await plane.hold('near')).open], [asking + idle, asking + idle]);
  await delay(1_000);
  assert.equal((await plane.held('far')).open, asking + idle, 'who waits for nothing is not silent');

  await network.unplug('far');
  const lostAt = Date.now();
  await until('all connections there to be given up', async () => (await plane.held('far')).open === 0);
  const { closedFrom, closedTo } = await plane.held('far');
  t.diagnostic(`${engine}: given up ${Math.round(closedFrom - lostAt)} to ${Math.round(closedTo - lostAt)} ms after the link was cut`);
  assert.ok(closedTo - lostAt < noticedMs, `the last was given up after ${closedTo - lostAt} ms`);
  const { served, worstMs } = await plane.call('both', 40);
  assert.equal(served, 40);
  assert.ok(worstMs < servedMs, `a new caller waited ${worstMs} ms for the machine that is there`);
  const before = await plane.held('near');
  await until('the others to go on', async () => (await plane.held('near')).echoed > before.echoed + 2 * asking);
  assert.equal((await plane.held('near')).open, asking + idle, 'nobody else was touched');

  await network.plugIn('far');
  await until('the machine to be used again', async () => (await plane.call('far')).served === 1, 30_000);
  assert.equal((await plane.hold('far')).open, asking + idle);
  assert.equal((await plane.held('near')).open, asking + idle);
}

for (const engine of engines) {
  test(`engine ${engine}: a machine behind a cut link is given up within ${noticedMs} ms, with its connections and no others, and used again when it is back`, (t) =>
    vanish(t, engine));
}
