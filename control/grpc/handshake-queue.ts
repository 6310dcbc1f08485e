import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { after } from '../../core/timer.ts';

export interface HandshakeQueueOptions {
  /** How many may be in their handshake. */
  readonly atOnce: number;
  /** ms after which a handshake that has not ended makes room all the same: whoever does not go on keeps nobody waiting for longer. */
  readonly roomAfterMs: number;
  /** ms from its accept in which a connection has to say something. */
  readonly silentMs: number;
  readonly clock: Clock;
  /** The socket's turn: what it has said is unread again. */
  readonly letIn: (socket: Socket) => void;
}

/** More than any ClientHello is, by far. */
const mostBytes = 16_384;

interface Visitor {
  readonly said: Buffer[];
  readonly onData: (chunk: Buffer) => void;
  readonly onGone: () => void;
}

/** A TLS socket does not say which one it is over, but where that comes from, and to which of our addresses. */
const keyOf = ({ remoteAddress, remotePort, localAddress }: Socket) => `${remoteAddress} ${remotePort} ${localAddress}`;

/**
 * Lets connections into their TLS handshakes in the order in which they began to speak, a few at once. When thousands come back together, each handshake would
 * otherwise take as long as all of them, and clients that lose patience, and come anew, would keep the server busy with handshakes that nobody waits for any more.
 * Those who go while they wait cost nothing. Waiting needs no limit of its own: it is bounded by the connections that the listener takes.
 */
export class HandshakeQueue {
  readonly #options: HandshakeQueueOptions;
  readonly #visitors = new Map<Socket, Visitor>();
  /** Those who have spoken and are not in yet. */
  readonly #waiting = new Set<Socket>();
  /** By `keyOf`, with what stops the time that they have. */
  readonly #inside = new Map<string, () => void>();

  constructor(options: HandshakeQueueOptions) {
    this.#options = options;
  }

  enter(socket: Socket): void {
    const visitor: Visitor = { said: [], onData: (chunk) => this.#hear(socket, chunk), onGone: () => socket.destroy() };
    this.#visitors.set(socket, visitor);
    socket.on('data', visitor.onData);
    socket.on('end', visitor.onGone);
    socket.setTimeout(this.#options.silentMs, visitor.onGone);
    this.#follow(socket);
  }

  /** The handshake of this socket, or of the TLS socket over it, has ended, well or not. */
  done(socket: Socket): void {
    this.#leave(keyOf(socket));
  }

  dispose(): void {
    for (const socket of this.#visitors.keys()) socket.destroy();
    for (const stop of this.#inside.values()) stop();
    this.#inside.clear();
  }

  #leave(key: string): void {
    this.#inside.get(key)?.();
    if (this.#inside.delete(key)) this.#admit();
  }

  /** On its own, as what a closure sees lives as long as the connection: it must not see the visitor. */
  #follow(socket: Socket): void {
    const key = keyOf(socket);
    socket.once('close', () => {
      this.#visitors.delete(socket);
      this.#waiting.delete(socket);
      this.#leave(key);
    });
  }

  #hear(socket: Socket, chunk: Buffer): void {
    const said = this.#visitors.get(socket)?.said ?? [];
    said.push(chunk);
    if (said.reduce((sum, { length }) => sum + length, 0) > mostBytes) return void socket.destroy();
    socket.setTimeout(0);
    this.#waiting.add(socket);
    this.#admit();
  }

  #admit(): void {
    for (const socket of this.#waiting) {
      if (this.#inside.size >= this.#options.atOnce) return;
      this.#waiting.delete(socket);
      const visitor = this.#visitors.get(socket);
      if (visitor !== undefined && !socket.destroyed) this.#begin(socket, visitor);
    }
  }

  #begin(socket: Socket, { said, onData, onGone }: Visitor): void {
    const { clock, roomAfterMs, letIn } = this.#options;
    const key = keyOf(socket);
    this.#visitors.delete(socket);
    this.#inside.set(
      key,
      after(clock, roomAfterMs, () => this.#leave(key)),
    );
    socket.off('data', onData).off('end', onGone).off('timeout', onGone);
    socket.pause();
    socket.unshift(Buffer.concat(said));
    letIn(socket);
  }
}
