import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { after } from '../../core/timer.ts';

export interface HandshakeQueueOptions {
  /** How many may be in their handshake. */
  readonly atOnce: number;
  /** ms after which a handshake that has not ended makes room all the same: whoever does not go on keeps nobody waiting for longer. */
  readonly roomAfterMs: number;
  /** ms from its accept in which a connection has to have said its hello. */
  readonly silentMs: number;
  /** ms after which whoever waits is ended, and may come again. */
  readonly waitMs: number;
  readonly clock: Clock;
  /** The socket's turn: what it has said is unread again. */
  readonly letIn: (socket: Socket) => void;
}

/** More than any ClientHello is, by far. */
const mostBytes = 16_384;
const recordHeader = 5;

interface Visitor {
  readonly source: string;
  readonly said: Buffer[];
  /** When it had said its hello, ms, monotonic. */
  readyAt: number | undefined;
  readonly onData: (chunk: Buffer) => void;
  readonly onGone: () => void;
  /** Stops the time that it has for its hello. */
  readonly inTime: () => void;
}

/** A TLS socket does not say which one it is over, but where that comes from, and to which of our addresses. */
const keyOf = ({ remoteAddress, remotePort, localAddress }: Socket) => `${remoteAddress} ${remotePort} ${localAddress}`;

/**
 * Lets connections into their TLS handshakes a few at a time: sources by turns, those of one in the order in which they said their hello. When thousands come back
 * together, each handshake would otherwise take as long as all of them, and clients that lose patience, and come anew, would keep the server busy with handshakes that
 * nobody waits for any more. Whoever has waited for longer than clients do is ended unread, which costs next to nothing: gRPC leaves connections open that it has given up.
 */
export class HandshakeQueue {
  readonly #options: HandshakeQueueOptions;
  readonly #visitors = new Map<Socket, Visitor>();
  /** By source. The next turn is of the first. */
  readonly #waiting = new Map<string, Set<Socket>>();
  /** By `keyOf`, with what stops the time that they have. */
  readonly #inside = new Map<string, () => void>();
  #crowdedAt = Number.NEGATIVE_INFINITY;

  constructor(options: HandshakeQueueOptions) {
    this.#options = options;
  }

  /** ms, monotonic, at which somebody last had to wait; before any time: nobody has. */
  get crowdedAt(): number {
    return this.#crowdedAt;
  }

  enter(socket: Socket): void {
    const onGone = () => void socket.destroy();
    const visitor: Visitor = {
      source: socket.remoteAddress ?? '',
      said: [],
      readyAt: undefined,
      onData: (chunk) => this.#hear(socket, visitor, chunk),
      onGone,
      inTime: after(this.#options.clock, this.#options.silentMs, onGone),
    };
    this.#visitors.set(socket, visitor);
    socket.on('data', visitor.onData);
    socket.on('end', visitor.onGone);
    this.#follow(socket);
  }

  /** The handshake of this socket, or of the TLS socket over it, has ended, well or not. */
  done(socket: Socket): void {
    this.#leave(keyOf(socket));
  }

  /** Ends those who are not in their handshake yet. */
  dispose(): void {
    for (const socket of this.#visitors.keys()) socket.destroy();
    this.#waiting.clear();
  }

  #leave(key: string): void {
    this.#inside.get(key)?.();
    if (this.#inside.delete(key)) this.#admit();
  }

  /** On its own, as what a closure sees lives as long as the connection: it must not see the visitor. */
  #follow(socket: Socket): void {
    const key = keyOf(socket);
    socket.once('close', () => {
      const visitor = this.#visitors.get(socket);
      this.#visitors.delete(socket);
      visitor?.inTime();
      if (visitor !== undefined) this.#unqueue(visitor.source, socket);
      this.#leave(key);
    });
  }

  #hear(socket: Socket, visitor: Visitor, chunk: Buffer): void {
    visitor.said.push(chunk);
    const length = visitor.said.reduce((sum, each) => sum + each.length, 0);
    if (length > mostBytes) return void socket.destroy();
    if (visitor.readyAt !== undefined || !isWholeRecord(visitor.said, length)) return;
    visitor.inTime();
    visitor.readyAt = this.#options.clock.monotonic();
    const { source } = visitor;
    this.#waiting.set(source, (this.#waiting.get(source) ?? new Set()).add(socket));
    this.#admit();
    if (this.#waiting.size > 0) this.#crowdedAt = visitor.readyAt;
  }

  #unqueue(source: string, socket: Socket): void {
    const those = this.#waiting.get(source);
    if (those?.delete(socket) === true && those.size === 0) this.#waiting.delete(source);
  }

  #admit(): void {
    const { atOnce, waitMs, clock } = this.#options;
    for (const [source, those] of this.#waiting) {
      const [socket] = those;
      if (this.#inside.size >= atOnce || socket === undefined) return;
      // To the end of the turns, which this loop comes to again.
      this.#waiting.delete(source);
      those.delete(socket);
      if (those.size > 0) this.#waiting.set(source, those);
      const visitor = this.#visitors.get(socket);
      if (visitor === undefined || socket.destroyed) continue;
      if (clock.monotonic() - (visitor.readyAt ?? 0) > waitMs) socket.destroy();
      else this.#begin(socket, visitor);
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
    socket.off('data', onData).off('end', onGone);
    socket.pause();
    socket.unshift(Buffer.concat(said));
    letIn(socket);
  }
}

/** The first record of TLS, which says its length; what is none is as whole as it will be. */
function isWholeRecord(said: readonly Buffer[], length: number): boolean {
  if (length < recordHeader) return false;
  const head = Buffer.concat(said);
  return head[0] !== 22 || length >= recordHeader + head.readUInt16BE(3);
}
