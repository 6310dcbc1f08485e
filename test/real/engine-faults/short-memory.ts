import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { cpuCount } from '../../../core/cpu-count.ts';
import type { EngineName } from '../../support/engine-faults/brief.ts';
import { EchoCaller } from '../../support/engine-faults/echo-caller.ts';
import { EngineProcess } from '../../support/engine-faults/engine-process.ts';
import { TestSockets } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';
import { MemoryGroup } from './memory-group.ts';

// Runs in a network of its own whose sockets hold little. Arguments: the engine, and MB of memory that it may use.
const [, , engine = '', limit = ''] = process.argv;
/** More than any engine has memory for. */
const mostReaders = 4_000;
/** Of the engine. */
const threads = engine === 'native' ? cpuCount() : 1;
const batch = 20;
const block = Buffer.alloc(65_536, 7);
const group = await MemoryGroup.make(Number(limit) * 2 ** 20);
const sockets = new TestSockets();
/** Says back what it hears, but to those that begin with "!", who get as much as they take. */
const { port } = await sockets.serve((socket) => {
  socket.on('error', () => {});
  socket.once('data', (first: Buffer) => {
    if (first[0] !== 0x21) {
      socket.write(first);
      socket.pipe(socket);
      return;
    }
    const fill = () => {
      while (socket.writable && socket.write(block));
    };
    socket.on('drain', fill);
    fill();
  });
});
const brief = {
  engine: engine as EngineName,
  limits: { maxConnections: mostReaders * 2, maxConnectionsPerSource: mostReaders * 2 },
  guarded: true,
};
const running = await EngineProcess.start({ ...brief, ports: [port], connectTimeoutMs: 5_000 }, group.under);
const to = { port: running.ports.plain };
const standing = new EchoCaller(to);
await until('the first to be served', () => standing.served);

// Readers that stand still, each of which costs what it was sent, until nobody is taken any more.
const callers: Socket[] = [];
let closed = 0;
const reader = () => {
  const socket = sockets.track(connect({ port: running.ports.plain, host: '127.0.0.1' }).pause());
  socket.on('error', () => {}).once('close', () => (closed += 1));
  socket.write('!');
  callers.push(socket);
  return new Promise((settled) => socket.once('readable', settled).once('close', settled));
};
const refused = async () => (await running.look()).ended['memory-short'] ?? 0;
let since = 0;
while ((await refused()) === 0) {
  since = performance.now();
  assert.ok(callers.length < mostReaders, `${mostReaders} readers stand still in ${limit} MB, and nobody was refused`);
  await Promise.all(Array.from({ length: batch }, reader));
}
const taken = callers.length - (await refused());
for (let i = 0; i < 5; i++) await Promise.all(Array.from({ length: batch }, reader));
const short = await running.told();
const trouble = short.troubles.find(({ what }) => what === 'memory-short');
assert.match(trouble?.detail ?? '', new RegExp(`^\\d+ MB are left of the ${limit} MB of the cgroup`));
assert.deepEqual(short.last['memory-short']?.flags, ['OM']);
const said = short.troubles.filter(({ what }) => what === 'memory-short').length;
const most = threads * (1 + (performance.now() - since) / 1_000);
assert.ok(said <= most, `it says so once a second for each thread, not for each caller: ${said} times, and not ${most} at most`);
standing.say(Buffer.alloc(50_000, 7));
await until('who was there before to be served', () => standing.served);
const used = Math.round((await group.used()) / 2 ** 20);

for (const caller of callers) caller.destroy();
await until('all to be gone', () => closed === callers.length);
// So many at once are taken only where there is memory again.
await until(
  'new callers to be served',
  async () => {
    const more = Array.from({ length: 150 }, () => new EchoCaller(to));
    await until('each to be served or refused', () => more.every(({ settled }) => settled));
    const served = more.every((caller) => caller.served);
    await Promise.all(more.map((caller) => caller.close()));
    return served;
  },
  60_000,
);
assert.ok(standing.served);
await standing.close();
await until('nothing to be left open', async () => (await running.look()).open === 0);
await running.stop();
sockets.close();
await group.remove();
process.stdout.write(`${taken} readers taken in ${limit} MB, ${used} used\n`);
