import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { holdRange } from '../../../cli/demo/site.ts';

test('whoever asks for ports gets some that nobody else was given, before anybody listens there', async (t) => {
  const held = await Promise.all([1, 2, 3].map(() => holdRange(100)));
  t.after(() => Promise.all(held.map(({ release }) => release())));
  const ports = held.flatMap(({ ports: [first, last] }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
  assert.deepEqual([ports.length, new Set(ports).size], [297, 297]);
  for (const { ports: range } of held) {
    const server = createServer().listen(range[0], '127.0.0.1');
    await once(server, 'listening');
    server.close();
  }
});

test('ports that are given back are free, also where somebody has dialled the one that held them', async () => {
  const { ports, release } = await holdRange(100);
  const before = ports[0] - 1;
  const socket = connect(before, '127.0.0.1').on('error', () => {});
  await once(socket, 'close');
  await release();
  const server = createServer().listen(before, '127.0.0.1');
  await once(server, 'listening');
  server.close();
});
