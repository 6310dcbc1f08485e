import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { bodyBytes } from './backends.ts';
import {
  ack,
  endStream,
  FrameReader,
  forStream,
  frame,
  frameType,
  headersFrame,
  moreWindow,
  opening,
  preface,
  startsOf,
} from './frames.ts';

export type Spoken = 'HTTP/1.1' | 'HTTP/2' | 'gRPC';

export const host = 'orders.shop.mesh.internal';
const pathOf = { 'HTTP/1.1': '/orders/1', 'HTTP/2': '/h2/orders/1', gRPC: '/shop.Orders/Get' } as const;
const window = 2 ** 28;

/** One connection to a proxy. `ask` sends one request; `failed` is said once, of the connection. */
export interface Caller {
  ask(answered: () => void): void;
  close(): void;
}

export async function openCaller(port: number, spoken: Spoken, failed: (why: string) => void): Promise<Caller> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  let closed = false;
  const fail = (why: string) => void (closed || failed(why));
  socket.on('close', () => fail('a connection to the proxy broke off'));
  socket.on('error', () => {});
  const ask = spoken === 'HTTP/1.1' ? http1(socket, fail) : http2(socket, spoken, fail);
  const close = () => {
    closed = true;
    socket.destroy();
  };
  return { ask, close };
}

/** One at a time: who asks more is queued by the load. */
function http1(socket: Socket, fail: (why: string) => void): Caller['ask'] {
  const question = Buffer.from(`GET ${pathOf['HTTP/1.1']} HTTP/1.1\r\nhost: ${host}\r\nuser-agent: bench\r\n\r\n`);
  let waiting: (() => void) | undefined;
  let missing = 0;
  let head = '';
  socket.on('data', (chunk: Buffer) => {
    if (missing > 0) missing -= chunk.length;
    else {
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!head.startsWith('HTTP/1.1 200')) fail(head.slice(0, 60));
      missing = end + 4 + bodyBytes - head.length;
      head = '';
    }
    if (missing > 0) return;
    missing = 0;
    const answered = waiting;
    waiting = undefined;
    answered?.();
  });
  return (answered) => {
    waiting = answered;
    socket.write(question);
  };
}

function http2(socket: Socket, spoken: 'HTTP/2' | 'gRPC', fail: (why: string) => void): Caller['ask'] {
  const named = [
    [':path', pathOf[spoken]],
    [':authority', host],
    ['user-agent', 'bench'],
  ] as const;
  // Of the static table: GET is 2, POST 3, http 6.
  const get = headersFrame([2, 6], named, true);
  const call = [
    headersFrame([3, 6], [...named, ['content-type', 'application/grpc'], ['te', 'trailers']], false),
    frame(frameType.data, endStream, 0, Buffer.alloc(bodyBytes, 'y')),
  ];
  const question = spoken === 'HTTP/2' ? get : Buffer.concat(call);
  const starts = startsOf(question);
  const waiting = new Map<number, { answered: () => void; begun: boolean }>();
  let streamId = -1;
  let unread = 0;
  const reader = new FrameReader((type, flags, id, length, first) => {
    if (type === frameType.settings && (flags & ack) === 0) socket.write(frame(frameType.settings, ack, 0, Buffer.alloc(0)));
    else if (type === frameType.ping && (flags & ack) === 0) socket.write(frame(frameType.ping, ack, 0, Buffer.alloc(8)));
    else if (type === frameType.data) unread += length;
    const one = waiting.get(id);
    if (one === undefined) return;
    if (type > frameType.headers && type !== 8) fail(`frame of type ${type} on a stream`);
    // :status 200 of the static table, maybe after a change of the table's size (RFC 7541 §6.3).
    if (type === frameType.headers && !one.begun && first !== 0x88 && first >>> 5 !== 1) fail('not answered with 200');
    one.begun = true;
    if (type <= frameType.headers && (flags & endStream) !== 0) {
      waiting.delete(id);
      one.answered();
    }
    if (unread > window) {
      socket.write(moreWindow(unread));
      unread = 0;
    }
  });
  socket.write(Buffer.concat([preface, opening()]));
  socket.on('data', (chunk) => reader.push(chunk));
  return (answered) => {
    streamId += 2;
    waiting.set(streamId, { answered, begun: false });
    socket.write(forStream(question, starts, streamId));
  };
}
