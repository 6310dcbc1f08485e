import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { HandshakeQueue } from '../../../control/grpc/handshake-queue.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { until } from '../../support/until.ts';

interface Door {
  readonly clock: ManualClock;
  readonly queue: HandshakeQueue;
  /** What each of those who were let in had said, in their order. */
  readonly inside: { readonly socket: Socket; readonly said: string }[];
  /** Dials; says `text` unless it is empty, and waits until the server has it. */
  come(text: string): Promise<Socket>;
}

async function door(t: TestContext, atOnce: number, silentMs = 60_000): Promise<Door> {
  const clock = new ManualClock();
  const inside: { socket: Socket; said: string }[] = [];
  const letIn = (socket: Socket) => inside.push({ socket, said: String(socket.read() ?? '') });
  const queue = new HandshakeQueue({ atOnce, roomAfterMs: 1_000, silentMs, clock, letIn });
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
    come: async (text) => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.resume();
      clients.push(socket);
      await once(socket, 'connect');
      const before = heard;
      if (text === '') return socket;
      socket.write(text);
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

test('whoever does not go on with its handshake keeps the next one waiting for a second, and is not cut off for it', async (t) => {
  const at = await door(t, 1);
  await at.come('slow');
  await at.come('next');
  at.clock.advance(999);
  assert.deepEqual(said(at), ['slow']);
  at.clock.advance(1);
  await until('room', () => said(at).length === 2);
  assert.deepEqual(said(at), ['slow', 'next']);
  assert.equal(at.inside[0]?.socket.destroyed, false);
});

test('whoever says nothing is ended in time, and so is whoever says more than any hello while it waits', async (t) => {
  const at = await door(t, 1, 100);
  const silent = await at.come('');
  await once(silent, 'close');
  await at.come('one');
  const many = await at.come('x');
  many.write('x'.repeat(20_000));
  await once(many, 'close');
  const patient = await at.come('two');
  await systemClock.sleep(300);
  assert.equal(patient.closed, false, 'it has spoken, so that its wait is not its fault');
  assert.deepEqual(said(at), ['one']);
});

test('its end ends those who wait', async (t) => {
  const at = await door(t, 1);
  await at.come('one');
  const [quiet, two] = [await at.come(''), await at.come('two')];
  at.queue.dispose();
  await Promise.all([once(quiet, 'close'), once(two, 'close')]);
  assert.deepEqual(said(at), ['one']);
});
