import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { ack, endStream, FrameReader, forStream, frame, frameType, headersFrame, opening, preface, startsOf } from './frames.ts';

export const bodyBytes = 1_024;

/** Apps that answer with 1 KiB, by as little work as there is. */
export interface Backends {
  readonly http1: number;
  readonly http2: number;
  readonly grpc: number;
  stop(): void;
}

export async function startBackends(): Promise<Backends> {
  const body = Buffer.alloc(bodyBytes, 'x');
  const plain = Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${bodyBytes}\r\n\r\n`), body]);
  const data = (ends: boolean) => frame(frameType.data, ends ? endStream : 0, 0, body);
  const length = ['content-length', String(bodyBytes)] as const;
  const http2 = Buffer.concat([headersFrame([8], [['content-type', 'text/plain'], length], false), data(true)]);
  const call = [
    headersFrame([8], [['content-type', 'application/grpc']], false),
    data(false),
    headersFrame([], [['grpc-status', '0']], true),
  ];
  const open = new Set<Socket>();
  const servers = await Promise.all([
    listen(open, (socket) => answerHttp1(socket, plain)),
    listen(open, (socket) => answerHttp2(socket, http2)),
    listen(open, (socket) => answerHttp2(socket, Buffer.concat(call))),
  ]);
  const [a, b, c] = servers.map((server) => (server.address() as AddressInfo).port) as [number, number, number];
  const stop = () => {
    for (const server of servers) server.close();
    for (const socket of open) socket.destroy();
  };
  return { http1: a, http2: b, grpc: c, stop };
}

async function listen(open: Set<Socket>, serve: (socket: Socket) => void) {
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket.on('close', () => open.delete(socket)));
    socket.on('error', () => {});
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Requests without a body. */
function answerHttp1(socket: Socket, answer: Buffer): void {
  let tail = '';
  socket.on('data', (chunk) => {
    const text = tail + chunk.toString('latin1');
    const parts = text.split('\r\n\r\n');
    tail = parts.pop() ?? '';
    for (const _ of parts) socket.write(answer);
  });
}

function answerHttp2(socket: Socket, answer: Buffer): void {
  const starts = startsOf(answer);
  let skip = preface.length;
  const reader = new FrameReader((type, flags, streamId) => {
    if (type === frameType.settings && (flags & ack) === 0) socket.write(frame(frameType.settings, ack, 0, Buffer.alloc(0)));
    else if (type === frameType.ping && (flags & ack) === 0) socket.write(frame(frameType.ping, ack, 0, Buffer.alloc(8)));
    else if (type <= frameType.headers && (flags & endStream) !== 0) socket.write(forStream(answer, starts, streamId));
  });
  socket.write(opening());
  socket.on('data', (chunk) => {
    const from = Math.min(skip, chunk.length);
    skip -= from;
    if (from < chunk.length) reader.push(chunk.subarray(from));
  });
}
