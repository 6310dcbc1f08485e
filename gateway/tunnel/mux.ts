import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import { encodeFrame, type FrameHeader, FrameReader, frameFlag, frameType, headerBytes } from './frames.ts';
import { type StreamCarrier, TunnelStream } from './stream.ts';

export interface MuxOptions {
  /** Who begins streams: the gateway that holds the tunnel. The other side takes them. */
  readonly side: 'opens' | 'takes';
  readonly limits: MuxLimits;
  readonly clock: Clock;
  /** Of the side that takes: a new stream, paused, the receiver's to end or destroy. */
  readonly onStream?: (stream: TunnelStream) => void;
  /** The other side will take or begin no new streams; those that run go on. Once. */
  readonly onLeaving?: () => void;
  /** Nothing runs any more; why, for people. Once. */
  readonly onEnd: (reason: string) => void;
}

export interface MuxLimits {
  /** At one time; more are reset. Default 1,000. */
  readonly maxStreams: number;
  /** Silence after which the other side is asked whether it lives. Default 1,000 ms. */
  readonly pingAfterMs: number;
  /** Silence after which it is taken for dead. Default 4,000 ms. */
  readonly deadAfterMs: number;
  /** What windows may grow by, over the 256 KiB that every stream has; of all streams together. Default 32 MiB. */
  readonly windowGrowth: number;
  /** Written and not yet taken by the connection: a side that does not read is let go of. Default 8 MiB. */
  readonly maxUnsentBytes: number;
}

export const defaultMuxLimits: MuxLimits = {
  maxStreams: 1_000,
  pingAfterMs: 1_000,
  deadAfterMs: 4_000,
  windowGrowth: 33_554_432,
  maxUnsentBytes: 8_388_608,
};

/** Unacknowledged identifiers end here; a new tunnel begins anew. */
const lastId = 2 ** 31 - 1;

/** Streams over one connection, which it owns from its making on. */
export class Mux implements StreamCarrier {
  readonly #connection: Duplex;
  readonly #options: MuxOptions;
  readonly #streams = new Map<number, TunnelStream>();
  readonly #waiting = new Set<TunnelStream>();
  readonly #over = new AbortController();
  readonly #reader: FrameReader;
  #last = 0;
  #heardAt: number;
  #growth: number;
  #leaving = false;
  #remoteLeaving = false;
  #ended = false;

  constructor(connection: Duplex, options: MuxOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#heardAt = options.clock.monotonic();
    this.#growth = options.limits.windowGrowth;
    this.#reader = new FrameReader({
      onFrame: (header) => this.#onFrame(header),
      onPayload: (id, piece) => this.#onPayload(id, piece),
      onPayloadEnd: (header) => this.#onFlags(header),
    });
    connection.on('data', (chunk: Buffer) => this.#onData(chunk));
    connection.on('drain', () => this.#onDrain());
    connection.on('error', (error) => this.end(error.message));
    connection.on('end', () => this.end('the other side ended it'));
    connection.on('close', () => this.end('closed'));
    void this.#watch();
    if (connection.destroyed) this.end('closed');
    else connection.resume();
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Of the side that opens: false while new streams would be refused. */
  get open(): boolean {
    return !this.#ended && !this.#leaving && !this.#remoteLeaving;
  }

  /** Undefined: it ends, or has as many as it may. */
  openStream(): TunnelStream | undefined {
    if (!this.open || this.#streams.size >= this.#options.limits.maxStreams || this.#last > lastId - 2) return undefined;
    this.#last += this.#last === 0 ? 1 : 2;
    const stream = this.#begin(this.#last);
    this.#send({ type: frameType.window, flags: frameFlag.syn, stream: stream.id, length: 0 });
    return stream;
  }

  /** Says that nothing new is wanted, and ends when the last stream has, or after `withinMs` (0: whenever that is). Idempotent. */
  leave(withinMs = 0): void {
    if (this.#leaving || this.#ended) return;
    this.#leaving = true;
    this.#send({ type: frameType.goAway, flags: 0, stream: 0, length: 0 });
    this.#endWhenIdle();
    if (withinMs > 0 && !this.#ended) void this.#endLater(withinMs);
  }

  /** Now: streams that run are reset. Idempotent. */
  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#over.abort();
    for (const stream of [...this.#streams.values()]) stream.arriveReset(`the tunnel was lost: ${reason}`);
    this.#streams.clear();
    this.#waiting.clear();
    this.#connection.destroy();
    this.#options.onEnd(reason);
  }

  sendData(id: number, piece: Buffer): void {
    this.#send({ type: frameType.data, flags: 0, stream: id, length: piece.length }, piece);
  }

  isFull(): boolean {
    return this.#connection.writableNeedDrain;
  }

  wait(stream: TunnelStream): void {
    this.#waiting.add(stream);
  }

  sendEnd(id: number): void {
    this.#send({ type: frameType.data, flags: frameFlag.fin, stream: id, length: 0 });
  }

  sendReset(id: number): void {
    this.#send({ type: frameType.data, flags: frameFlag.rst, stream: id, length: 0 });
  }

  grant(id: number, bytes: number): void {
    this.#send({ type: frameType.window, flags: 0, stream: id, length: bytes });
  }

  growth(wanted: number): number {
    const given = Math.min(wanted, this.#growth);
    this.#growth -= given;
    return given;
  }

  forget(id: number, grown: number): void {
    this.#growth += grown;
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#waiting.delete(stream);
    this.#streams.delete(id);
    this.#endWhenIdle();
  }

  #begin(id: number): TunnelStream {
    const stream = new TunnelStream(id, this);
    this.#streams.set(id, stream);
    return stream;
  }

  #onData(chunk: Buffer): void {
    if (this.#ended) return;
    this.#heardAt = this.#options.clock.monotonic();
    const fault = this.#reader.push(chunk);
    if (fault !== undefined) this.#fault(fault);
  }

  #onFrame(header: FrameHeader): string | undefined {
    const { type, flags, stream: id, length } = header;
    if (this.#ended) return undefined;
    if (type === frameType.ping) {
      if ((flags & frameFlag.syn) !== 0) this.#send({ type, flags: frameFlag.ack, stream: 0, length });
      return undefined;
    }
    if (type === frameType.goAway) return this.#onGoAway(length);
    if (type !== frameType.data && type !== frameType.window) return `frames of type ${type}`;
    if ((flags & frameFlag.syn) !== 0) {
      const refused = this.#onOpen(id);
      if (refused !== undefined) return refused;
    } else if (id === 0 || id % 2 === 0 || id > this.#last) return `stream ${id} was never begun`;
    if (type === frameType.window) {
      this.#streams.get(id)?.arriveWindow(length);
      this.#onFlags(header);
    }
    return undefined;
  }

  /** Undefined also where it was refused by a reset: that concerns nobody else. */
  #onOpen(id: number): string | undefined {
    const { side, limits, onStream } = this.#options;
    if (side === 'opens' || onStream === undefined) return 'streams from the side that takes them';
    if (id % 2 === 0 || id <= this.#last) return `stream ${id} begun out of turn`;
    this.#last = id;
    if (this.#leaving || this.#streams.size >= limits.maxStreams) {
      this.sendReset(id);
      return undefined;
    }
    const stream = this.#begin(id);
    this.#send({ type: frameType.window, flags: frameFlag.ack, stream: id, length: 0 });
    onStream(stream);
    return undefined;
  }

  #onPayload(id: number, piece: Buffer): void {
    // Of one that was reset here, bytes may still be on their way.
    if (this.#streams.get(id)?.arrive(piece) === false) this.#fault(`stream ${id} sent more than its window`);
  }

  #onFlags({ flags, stream: id }: FrameHeader): void {
    const stream = this.#streams.get(id);
    if ((flags & frameFlag.rst) !== 0) stream?.arriveReset('the other side of the tunnel reset it');
    else if ((flags & frameFlag.fin) !== 0) stream?.arriveEnd();
  }

  #onGoAway(code: number): string | undefined {
    if (code !== 0) return `the other side gave up with code ${code}`;
    if (this.#remoteLeaving) return undefined;
    this.#remoteLeaving = true;
    this.#options.onLeaving?.();
    return undefined;
  }

  #onDrain(): void {
    for (const stream of [...this.#waiting]) {
      if (this.isFull()) return;
      this.#waiting.delete(stream);
      stream.resumeSending();
    }
  }

  #send(header: FrameHeader, payload?: Buffer): void {
    if (this.#ended) return;
    this.#connection.write(encodeFrame(header, payload));
    if (this.#connection.writableLength > this.#options.limits.maxUnsentBytes + headerBytes) this.end('the other side does not read');
  }

  #fault(reason: string): void {
    this.#send({ type: frameType.goAway, flags: 0, stream: 0, length: 1 });
    this.end(reason);
  }

  #endWhenIdle(): void {
    if (!this.#leaving || this.#streams.size > 0 || this.#ended) return;
    this.#ended = true;
    this.#over.abort();
    // Orderly: what was written goes out first.
    this.#connection.end(() => this.#connection.destroy());
    this.#options.onEnd('left');
  }

  async #endLater(withinMs: number): Promise<void> {
    try {
      await this.#options.clock.sleep(withinMs, this.#over.signal);
      this.end('left, and its streams did not end');
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }

  /** Both sides do this, so that each finds out by itself. */
  async #watch(): Promise<void> {
    const { clock, limits } = this.#options;
    let pings = 0;
    try {
      while (!this.#ended) {
        await clock.sleep(limits.pingAfterMs, this.#over.signal);
        const silence = clock.monotonic() - this.#heardAt;
        if (silence >= limits.deadAfterMs) this.end(`nothing was heard for ${Math.round(silence)} ms`);
        else if (silence >= limits.pingAfterMs * 0.9)
          this.#send({ type: frameType.ping, flags: frameFlag.syn, stream: 0, length: pings++ });
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }
}
