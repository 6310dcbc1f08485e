import type { Socket } from 'node:net';

/** What is known of one connection's bytes, from looking at its counters now and then: nothing is called per byte. */
export class SocketProgress {
  readonly socket: Socket;
  #read = 0;
  #written = 0;
  /** Something was sent since the last byte came, as far as looks can tell. */
  waiting = false;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** True: bytes have come since the last look. */
  look(): boolean {
    const { socket } = this;
    const read = countOf(socket, 'bytesRead');
    const written = countOf(socket, 'bytesWritten');
    const heard = read !== this.#read;
    // Which came first, when both have moved, is not known: then nothing is waited for.
    this.waiting = socket.connecting || (!heard && (this.waiting || written !== this.#written));
    this.#read = read;
    this.#written = written;
    return heard;
  }
}

/** Of the handle: what HTTP/2 writes goes past the socket's own counters. */
function countOf(socket: Socket, name: 'bytesRead' | 'bytesWritten'): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const count: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, name) : undefined;
  return typeof count === 'number' ? count : socket[name];
}
