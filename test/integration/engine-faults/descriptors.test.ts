import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { engines, type Look } from '../../support/engine-faults/brief.ts';
import { EchoCaller, isServed } from '../../support/engine-faults/echo-caller.ts';
import { EngineProcess } from '../../support/engine-faults/engine-process.ts';
import { TestSockets } from '../../support/mesh-sockets.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const spare = 40;
const connectTimeoutMs = 2_000;

async function echo(t: TestContext): Promise<number> {
  const sockets = new TestSockets();
  onEnd(t, () => sockets.close());
  return (await sockets.serve((socket) => socket.pipe(socket))).port;
}

for (const engine of engines) {
  test(`engine ${engine}: without descriptors it refuses new callers, says so, serves those it has, and recovers by itself`, async (t) => {
    const port = await echo(t);
    const running = await EngineProcess.start({ engine, limits: {}, ports: [port], connectTimeoutMs });
    onEnd(t, () => running.stop());
    const to = { port: running.ports.plain };
    assert.ok(await isServed(to));
    const atRest = await running.descriptors();
    await running.allowDescriptors(atRest + spare);

    const callers = Array.from({ length: 3 * spare }, () => new EchoCaller(to));
    onEnd(t, () => Promise.all(callers.map((caller) => caller.close())));
    await until('each to be served or refused', () => callers.every(({ settled }) => settled));
    const served = callers.filter((caller) => caller.served);
    // Two descriptors each; some numbers were free below those in use.
    assert.ok(served.length >= spare / 4 && served.length <= spare / 2 + 4, `${served.length} are served with ${spare} descriptors`);
    // The node engine looks once a second.
    const told = ({ troubles }: Look) => troubles.find(({ what }) => what === 'descriptors-exhausted');
    const short = await until(
      'it to say so',
      async () => {
        const look = await running.look();
        return told(look) && look;
      },
      5_000,
    );
    assert.match(told(short)?.detail ?? '', /EMFILE/, JSON.stringify(short));
    assert.ok(short.troubles.length <= 20, 'it says so once a second for each thread, not for each caller');
    assert.equal(short.attempts[`${port} connect`], undefined, 'the endpoint is not to blame');

    for (const caller of served) caller.say(Buffer.alloc(100_000, 7));
    await until('those that it has to be served', () => served.every((caller) => caller.served));
    // What the burst left behind is compiled and collected within seconds; a loop that spins takes the whole of each.
    const took: number[] = [];
    while (took.length < 8 && !took.some((ms) => ms < 300)) {
      const before = await running.look();
      await delay(1_000);
      took.push((await running.look()).cpuMs - before.cpuMs);
    }
    assert.ok((took.at(-1) ?? 0) < 300, `it took ${took.join(', ')} ms of CPU in seconds in which nothing happened`);

    await Promise.all(served.map((caller) => caller.close()));
    await until('a new caller to be served', () => isServed(to));
    await until('nothing to be left open', async () => (await running.look()).open === 0);
    await until('descriptors to be free', async () => (await running.descriptors()) <= atRest + 2);
    for (let i = 0; i < 50; i++) assert.ok(await isServed(to), `caller ${i} after the shortage`);
  });
}
