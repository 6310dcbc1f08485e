import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { HandshakeQueue } from '../../../control/grpc/handshake-queue.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { until } from '../../support/until.ts';

interface Door {
  readonly clock: ManualClock;
  readonly queue: HandshakeQueue;
  /** What each of those who were let in had said, in their order. */
  readonly inside: { readonly socket: Socket; readonly said: string }[];
  /** Dials, by another source than 127.0.0.1 where one is given; says `text` unless it is empty, and waits until the server has it. */
  come(text: string, source?: string): Promise<Socket>;
}

async function door(t: TestContext, atOnce: number): Promise<Door> {
  const clock = new ManualClock();
  const inside: { socket: Socket; said: string }[] = [];
  const letIn = (socket: Socket) => inside.push({ socket, said: String(socket.read() ?? '').trim() });
  const queue = new HandshakeQueue({ atOnce, roomAfterMs: 250, silentMs: 60_000, waitMs: 8_000, clock, letIn });
  let heard = 0;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    queue.enter(socket);
    socket.once('data', () => {
      heard += 1;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const clients: Socket[] = [];
  t.after(() => {
    queue.dispose();
    for (const socket of [...clients, ...inside.map((each) => each.socket)]) socket.destroy();
    server.close();
  });
  return {
    clock,
    queue,
    inside,
    come: async (text, localAddress = '127.0.0.1') => {
      const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', localAddress });
      socket.on('error', () => undefined);
      socket.resume();
      clients.push(socket);
      await once(socket, 'connect');
      const before = heard;
      if (text === '') return socket;
      socket.write(text.padEnd(5));
      await until('the server to hear it', () => heard > before);
      return socket;
    },
  };
}

const said = ({ inside }: Door) => inside.map((each) => each.said);

test('so many are in their handshakes, the rest come in the order in which they spoke, and what they said is read again', async (t) => {
  const at = await door(t, 2);
  await at.come('');
  for (const name of ['one', 'two', 'three', 'four', 'five']) await at.come(name);
  assert.deepEqual(said(at), ['one', 'two']);
  const [first, second] = at.inside;
  at.queue.done(second?.socket as Socket);
  assert.deepEqual(said(at), ['one', 'two', 'three']);
  at.queue.done(second?.socket as Socket);
  assert.deepEqual(said(at), ['one', 'two', 'three'], 'whoever is done twice makes room once');
  first?.socket.destroy();
  await until('the next one', () => said(at).length === 4);
  assert.deepEqual(said(at), ['one', 'two', 'three', 'four']);
});

test('whoever leaves while it waits is passed over', async (t) => {
  const at = await door(t, 1);
  await at.come('one');
  const two = await at.come('two');
  await at.come('three');
  two.end();
  await once(two, 'close');
  at.queue.done(at.inside[0]?.socket as Socket);
  assert.deepEqual(said(at), ['one', 'three']);
});

test('whoever does not go on with its handshake keeps the next one waiting for a moment, and is not cut off for it', async (t) => {
  const at = await door(t, 1);
  await at.come('slow');
  await at.come('next');
  at.clock.advance(249);
  assert.deepEqual(said(at), ['slow']);
  at.clock.advance(1);
  await until('room', () => said(at).length === 2);
  assert.deepEqual(said(at), ['slow', 'next']);
  assert.equal(at.inside[0]?.socket.destroyed, false);
});

test('a hello is what TLS says that it is: part of one, byte after byte, is given the time of one; more than any is ended', async (t) => {
  const at = await door(t, 1);
  const record = Buffer.concat([Buffer.from([22, 3, 1, 0, 4]), Buffer.from('abcd')]);
  const silent = await at.come('');
  const slow = await at.come('');
  slow.write(record.subarray(0, 8));
  await at.come('one');
  at.queue.done(at.inside[0]?.socket as Socket);
  const whole = await at.come('');
  whole.write(record);
  await until('the whole one', () => at.inside.length === 2);
  const many = await at.come('x');
  many.write('x'.repeat(20_000));
  await once(many, 'close');
  at.clock.advance(59_999);
  slow.write(record.subarray(8, 9));
  assert.deepEqual([silent.closed, slow.closed], [false, false]);
  const gone = [silent, await at.come('')].map((socket) => once(socket, 'close'));
  at.clock.advance(60_000);
  await Promise.all(gone);
});

test('sources take turns, so that one which comes a hundredfold keeps nobody else waiting', async (t) => {
  const at = await door(t, 1);
  for (const name of ['first', 'many1', 'many2', 'many3']) await at.come(name);
  await at.come('other', '127.0.0.2');
  for (let turn = 0; turn < 4; turn++) at.queue.done(at.inside.at(-1)?.socket as Socket);
  assert.deepEqual(said(at), ['first', 'many1', 'other', 'many2', 'many3']);
});

test('whoever has waited for longer than clients do is ended, and not let in for nobody', async (t) => {
  const at = await door(t, 1);
  await at.come('first');
  assert.equal(at.queue.crowdedAt, Number.NEGATIVE_INFINITY);
  const late = await at.come('late!');
  assert.equal(at.queue.crowdedAt, at.clock.monotonic());
  const ended = once(late, 'close');
  at.clock.advance(8_001);
  await ended;
  assert.deepEqual(said(at), ['first']);
  await at.come('fresh');
  assert.deepEqual(said(at), ['first', 'fresh']);
});

test('its end ends those who wait', async (t) => {
  const at = await door(t, 1);
  await at.come('one');
  const [quiet, two] = [await at.come(''), await at.come('two')];
  at.queue.dispose();
  await Promise.all([once(quiet, 'close'), once(two, 'close')]);
  assert.deepEqual(said(at), ['one']);
});
