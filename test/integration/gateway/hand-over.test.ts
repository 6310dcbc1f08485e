import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { until } from '../../support/until.ts';
import { begun, keepCalling } from './gateway-process.ts';

const node = ['--engine', 'node'];
const threads = (count: number) => ['--engine', 'native', '--engine-threads', String(count)];

/** A stream that goes on until `stop`, which says whether each byte came back in its order. */
function keepStreaming(socket: Socket) {
  const [sent, seen] = [createHash('sha256'), createHash('sha256')];
  let on = true;
  let bytes = 0;
  const heard = new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      seen.update(chunk);
    });
    socket.once('end', resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed before its end')));
  });
  heard.catch(() => {});
  const told = (async () => {
    while (on && !socket.destroyed) {
      const chunk = randomBytes(1 + Math.floor(Math.random() * 100_000));
      sent.update(chunk);
      const before = bytes;
      if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), heard.catch(() => {})]);
      await until('some of it', () => bytes > before || socket.destroyed);
    }
    socket.end();
  })();
  const stop = async () => {
    on = false;
    await told;
    await heard;
    return sent.digest('hex') === seen.digest('hex');
  };
  return { bytes: () => bytes, stop };
}

test('five new processes take over, of either engine and with other threads: nobody is refused, reset or cut', async (t) => {
  const { site, first } = await begun(t, ...threads(2));
  const processes = [first];
  const streams: ReturnType<typeof keepStreaming>[] = [];
  const stream = async () => void streams.push(keepStreaming(await site.sockets.connect(site.callers)));
  await Promise.all([stream(), stream()]);
  const loads = Array.from({ length: 4 }, (_, i) => keepCalling(() => site.exchange(randomBytes(1 + ((i * 20_011) % 70_000)))));
  const probes = keepCalling(async () => {
    const { status } = await fetch(`http://127.0.0.1:${site.health}/healthz/ready`, { headers: { connection: 'close' } });
    if (status !== 200) throw new Error(`readiness is answered ${status}`);
  });
  const more = async (count: number) => {
    const goals = [...loads, probes].map((each) => each.calls() + count);
    const carried = streams.map((each) => each.bytes());
    await until('more calls', () => [...loads, probes].every((each, i) => each.calls() >= (goals[i] ?? 0)));
    await until('more of each stream', () => streams.every((each, i) => each.bytes() > (carried[i] ?? 0)));
  };
  await more(20);
  for (const flags of [threads(1), threads(3), node, threads(2), node]) {
    processes.push(await site.gateway(...flags));
    await Promise.all([stream(), more(20)]);
  }
  const failures = (await Promise.all([...loads, probes].map((each) => each.stop()))).flat();
  assert.deepEqual(failures, []);
  assert.deepEqual(
    (await Promise.all(streams.map((each) => each.stop()))).filter((whole) => !whole),
    [],
  );
  const last = processes.pop();
  assert.deepEqual(await Promise.all(processes.map(({ exit }) => exit)), [0, 0, 0, 0, 0]);
  await site.exchange(Buffer.from('still'));
  last?.child.kill('SIGTERM');
  assert.equal(await last?.exit, 0);
  await assert.rejects(stat(site.socket), { code: 'ENOENT' });
});
