import { Socket } from 'node:net';
import { breakBy } from '../node/abort-stream.ts';
import type { NativeAddon } from './addon.ts';

/**
 * Our ends of the socket pairs by which the crate and TypeScript share connections: plaintext here, TLS there. An end is an end on either side;
 * a break has to be said, as such a pair knows none: by `cut` from here, and by `broken` from there.
 */
export class PairedEnds {
  readonly #addon: Pick<NativeAddon, 'cut'>;
  readonly #engine: number;
  /** By the number of their connection. */
  readonly #sockets = new Map<number, Socket>();
  #disposed = false;

  constructor(addon: Pick<NativeAddon, 'cut'>, engine: number) {
    this.#addon = addon;
    this.#engine = engine;
  }

  /** Paused. The descriptor is the socket's from here. */
  adopt(number: number, fd: number): Socket {
    const socket = new Socket({ fd, allowHalfOpen: true });
    socket.pause();
    // A break before its owner's first listener must not be uncaught.
    socket.on('error', () => {});
    this.#sockets.set(number, socket);
    socket.once('close', () => this.#sockets.delete(number));
    breakBy(socket, () => {
      if (!this.#disposed) this.#addon.cut(this.#engine, number);
    });
    return socket;
  }

  /** The other side broke off. */
  broken(number: number): void {
    this.#sockets.get(number)?.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }));
  }

  /** Nobody has the other ends any more. Idempotent. */
  dispose(): void {
    this.#disposed = true;
    for (const socket of [...this.#sockets.values()]) socket.destroy();
  }
}
