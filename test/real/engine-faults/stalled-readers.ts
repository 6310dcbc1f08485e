import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { EngineName } from '../../support/engine-faults/brief.ts';
import { EngineProcess } from '../../support/engine-faults/engine-process.ts';
import { TestSockets } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';

// Runs in a network of its own whose sockets let little out. Arguments: the engine, readers, and bytes of memory that they may cost it.
const [, , engine = '', count = '', bound = ''] = process.argv;
const readers = Number(count);
const block = Buffer.alloc(65_536, 7);
const sockets = new TestSockets();
const origins: Socket[] = [];
const { port } = await sockets.serve((socket) => {
  origins.push(socket);
  const fill = () => {
    while (!socket.writableEnded && socket.write(block));
  };
  socket.on('drain', fill);
  fill();
});
const limits = { maxConnections: readers, maxConnectionsPerSource: readers };
const running = await EngineProcess.start({ engine: engine as EngineName, limits, ports: [port], connectTimeoutMs: 5_000 });
const before = await running.memory();

const callers: Socket[] = [];
while (callers.length < readers) {
  // Not all at once: each is to have had its share of the engine before the next one comes.
  const more = Array.from({ length: 100 }, () => sockets.track(connect({ port: running.ports.plain, host: '127.0.0.1' }).pause()));
  await Promise.all(more.map((caller) => once(caller, 'connect')));
  callers.push(...more);
  await standstill();
}
await until('all to be there', () => origins.length === readers);
await standstill();
const grown = (await running.memory()) - before;
const beyond = sockets.track(connect({ port: running.ports.plain, host: '127.0.0.1' }));
await new Promise((resolve) => beyond.once('close', resolve));
const full = await running.told();
assert.equal(full.ended['too-many-connections'], 1);
assert.deepEqual(full.last['too-many-connections']?.flags, ['UO']);
assert.ok(grown <= Number(bound), `${readers} readers that stand still cost ${Math.round(grown / 2 ** 20)} MB`);

// What waited comes, all of it.
let received = 0;
for (const caller of callers) caller.on('data', (chunk) => (received += chunk.length)).resume();
for (const origin of origins) origin.resume().end();
const sent = () => origins.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
await until('nothing to be left open', async () => (await running.look()).open === 0, 60_000);
await until('every byte', () => received === sent(), 60_000);
await running.stop();
sockets.close();
process.stdout.write(`${Math.round(grown / 2 ** 20)} MB\n`);

/** Nobody can write any more. */
async function standstill(): Promise<void> {
  let last = -1;
  await until('everything to stand still', async () => {
    const now = origins.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
    const still = now === last && origins.length === callers.length && origins.every(({ writableNeedDrain }) => writableNeedDrain);
    last = now;
    return still;
  });
}
