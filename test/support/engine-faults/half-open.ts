import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { sni } from '../../contract/engine/harness.ts';
import { helloMessage, inRecords } from '../client-hello-bytes.ts';
import { TestSockets } from '../mesh-sockets.ts';
import { onEnd } from '../on-end.ts';
import { until } from '../until.ts';
import type { EngineName } from './brief.ts';
import { type CallTo, EchoCaller, isServed } from './echo-caller.ts';
import { EngineProcess } from './engine-process.ts';

export interface Flood {
  /** Connections that begin a ClientHello and never end it. */
  readonly halfOpen: number;
  /** That many come from each address: as many as one may. */
  readonly perSource: number;
  /** From accept to the last byte of a ClientHello. */
  readonly helloTimeoutMs: number;
  /** How long an honest caller may wait meanwhile, to the first byte back, with the callers' process on the same CPUs. */
  readonly honestMs: number;
}

/** Opened at once: fewer than wait for a listener. */
const batch = 250;
/** Of those whom all are let in before anybody else is refused. */
const room = 100;
/** Refused because a limit is reached. */
const tooMany = 20;
/** How late a half-open one may be ended. */
const lateMs = 10_000;
/** Of memory for each half-open caller, kernel aside. */
const bytesOf: Readonly<Record<EngineName, number>> = { native: 4_096, node: 32_768 };

const hello = inRecords(helloMessage({ names: [sni] }));

/** Callers that hold their hellos back take neither the place of others nor their time, and are gone when theirs is over. */
export async function withstandHalfOpen(
  t: TestContext,
  engine: EngineName,
  { halfOpen, perSource, helloTimeoutMs, honestMs }: Flood,
): Promise<void> {
  const sockets = new TestSockets();
  onEnd(t, () => sockets.close());
  const { port } = await sockets.serve((socket) => socket.pipe(socket));
  const limits = { maxConnections: halfOpen + room, maxConnectionsPerSource: perSource, helloTimeoutMs };
  const running = await EngineProcess.start({ engine, limits, ports: [port], connectTimeoutMs: 2_000 });
  onEnd(t, () => running.stop());
  const to = { port: running.ports.sni, hello };
  assert.ok(await isServed({ ...to, from: '127.2.0.1' }));
  const memory = await running.memory();

  const honest = new HonestCallers({ ...to, from: '127.2.0.1' }, honestMs);
  const flood: { readonly caller: EchoCaller; readonly openedAt: number }[] = [];
  onEnd(t, () => Promise.all(flood.map(({ caller }) => caller.close())));
  while (flood.length < halfOpen) {
    const opened = Array.from({ length: Math.min(batch, halfOpen - flood.length) }, (_, i) => {
      const from = `127.1.0.${1 + Math.floor((flood.length + i) / perSource)}`;
      return new EchoCaller({ port: to.port, from, hello: hello.subarray(0, -1) });
    });
    await Promise.all(opened.map(({ socket }) => once(socket, 'connect')));
    flood.push(...opened.map((caller) => ({ caller, openedAt: performance.now() })));
  }
  await until('all to be there', async () => (await running.look()).open >= halfOpen);
  const each = ((await running.memory()) - memory) / halfOpen;
  await honest.stop();
  t.diagnostic(
    `${engine}: ${halfOpen} half-open, ${Math.round(each)} B each, honest callers waited ${Math.round(honest.worstMs)} ms at most`,
  );
  assert.ok(each <= bytesOf[engine], `${each} B for each half-open caller`);
  assert.ok(honest.count > 0 && honest.refused === 0, `${honest.refused} of ${honest.count} honest callers were refused`);
  assert.ok(honest.worstMs < honestMs, `an honest caller waited ${honest.worstMs} ms`);

  // One address beyond its share; then one caller after another, until all places are taken.
  await refused(tooMany, () => new EchoCaller({ ...to, from: '127.1.0.1' }));
  const held = Array.from({ length: room }, (_, i) => new EchoCaller({ ...to, from: `127.3.0.${1 + i}` }));
  onEnd(t, () => Promise.all(held.map((caller) => caller.close())));
  await until('all places to be taken', () => held.every(({ served }) => served));
  await refused(tooMany, (i) => new EchoCaller({ ...to, from: `127.4.0.${1 + i}` }));
  const full = await running.told();
  assert.deepEqual([full.ended['too-many-from-source'], full.ended['too-many-connections']], [tooMany, tooMany]);
  assert.deepEqual([full.last['too-many-from-source']?.flags, full.last['too-many-connections']?.flags], [['UO'], ['UO']]);
  assert.deepEqual(new Set(full.troubles.map(({ what }) => what)), new Set(['too-many-connections', 'too-many-from-source']));

  await until('each half-open one to be ended', () => flood.every(({ caller }) => caller.closedAt !== undefined), helloTimeoutMs + 30_000);
  const lived = flood.map(({ caller, openedAt }) => (caller.closedAt ?? 0) - openedAt);
  const [least, most] = [Math.min(...lived), Math.max(...lived)];
  t.diagnostic(`${engine}: ended after ${Math.round(least)} to ${Math.round(most)} ms of ${helloTimeoutMs}`);
  assert.ok(least > helloTimeoutMs / 2 && most < helloTimeoutMs + lateMs, `they were ended after ${least} to ${most} ms`);
  assert.ok(await isServed({ ...to, from: '127.1.0.1' }), 'the address has its places back');
  await Promise.all(held.map((caller) => caller.close()));
  await until('nothing to be left open', async () => (await running.look()).open === 0);
  const { ended } = await running.told();
  assert.equal(ended['hello-timeout'], halfOpen);
}

async function refused(count: number, open: (i: number) => EchoCaller): Promise<void> {
  const callers = Array.from({ length: count }, (_, i) => open(i));
  await until('all to be refused', () => callers.every(({ closedAt }) => closedAt !== undefined));
}

/** One caller after another, for as long as it is not stopped. */
class HonestCallers {
  count = 0;
  refused = 0;
  worstMs = 0;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(to: CallTo, withinMs: number) {
    this.#running = this.#run(to, withinMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(to: CallTo, withinMs: number): Promise<void> {
    while (!this.#stopped) {
      const began = performance.now();
      if (!(await isServed(to, withinMs))) this.refused += 1;
      this.count += 1;
      this.worstMs = Math.max(this.worstMs, performance.now() - began);
      await delay(20);
    }
  }
}
