import { Duplex } from 'node:stream';
import { initialWindow } from './frames.ts';

/** What a stream needs of the connection that carries it. */
export interface StreamCarrier {
  sendData(id: number, piece: Buffer): void;
  /** No data may be sent before `resumeSending` is called. */
  isFull(): boolean;
  /** Calls its `resumeSending`, in turn with others', when there is room again. */
  wait(stream: TunnelStream): void;
  sendEnd(id: number): void;
  sendReset(id: number): void;
  grant(id: number, bytes: number): void;
  /** How many bytes more this window may grow by now; taken when it is asked for. */
  growth(wanted: number): number;
  /** It is over; `grown`: what of `growth` comes back. */
  forget(id: number, grown: number): void;
}

/** One frame's worth: small enough that streams take turns. */
const largestPiece = 16_384;
const largestWindow = 4_194_304;

/**
 * One connection through a tunnel. An end of one direction is an end there, a destroyed stream that has not ended both ways is a reset
 * there, and a reset or the loss of the tunnel is an error here (ECONNRESET): nobody takes a cut stream for a whole one.
 */
export class TunnelStream extends Duplex {
  readonly id: number;
  readonly #carrier: StreamCarrier;
  /** What the other side lets us send. */
  #sendWindow = initialWindow;
  /** What we let the other side send, and how much of that it may still. */
  #window = initialWindow;
  #allowed = initialWindow;
  #grown = 0;
  #consumed = 0;
  readonly #arrived: Buffer[] = [];
  #wanted = false;
  #remoteEnded = false;
  #localEnded = false;
  #gone = false;
  #unsent: { chunk: Buffer; readonly done: (error?: Error | null) => void } | undefined;
  #waiting = false;
  #sending = false;

  constructor(id: number, carrier: StreamCarrier) {
    super({ allowHalfOpen: true, highWaterMark: 65_536 });
    this.id = id;
    this.#carrier = carrier;
    // Whoever owns it listens; before and after that a reset is no crash.
    this.on('error', () => {});
  }

  /** Bytes from the other side. False: more than it was allowed. */
  arrive(piece: Buffer): boolean {
    this.#allowed -= piece.length;
    if (this.#allowed < 0) return false;
    // A copy where the rest of what was read would be kept alive by a small piece.
    this.#arrived.push(piece.length < 1_024 ? Buffer.from(piece) : piece);
    if (this.#wanted) this.#hand();
    return true;
  }

  arriveEnd(): void {
    this.#remoteEnded = true;
    if (this.#wanted) this.#hand();
  }

  /** The other side broke it off, or the tunnel is lost. */
  arriveReset(reason: string): void {
    this.#gone = true;
    this.destroy(Object.assign(new Error(reason), { code: 'ECONNRESET' }));
  }

  arriveWindow(bytes: number): void {
    this.#sendWindow += bytes;
    this.#send();
  }

  /** There is room in the connection. */
  resumeSending(): void {
    this.#waiting = false;
    this.#send();
  }

  override _read(): void {
    this.#wanted = true;
    this.#hand();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#unsent = { chunk, done };
    this.#send();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#localEnded = true;
    if (!this.#gone) this.#carrier.sendEnd(this.id);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#gone && !(this.#localEnded && this.#remoteEnded)) this.#carrier.sendReset(this.id);
    this.#gone = true;
    this.#arrived.length = 0;
    const unsent = this.#unsent;
    this.#unsent = undefined;
    this.#carrier.forget(this.id, this.#grown);
    unsent?.done(error ?? new Error('closed'));
    done(error);
  }

  #hand(): void {
    while (this.#wanted && !this.#gone) {
      const piece = this.#arrived.shift();
      if (piece === undefined) break;
      this.#consumed += piece.length;
      if (!this.push(piece)) this.#wanted = false;
    }
    if (this.#gone) return;
    if (this.#remoteEnded && this.#arrived.length === 0) {
      this.#wanted = false;
      this.push(null);
      return;
    }
    if (this.#consumed * 2 >= this.#window) this.#grantMore();
  }

  /** Who takes all that comes gets a larger window, so that a long way does not make it slow. */
  #grantMore(): void {
    let more = this.#consumed;
    this.#consumed = 0;
    if (this.#arrived.length === 0 && this.#wanted && this.#window < largestWindow) {
      const grown = this.#carrier.growth(Math.min(this.#window, largestWindow - this.#window));
      this.#window += grown;
      this.#grown += grown;
      more += grown;
    }
    this.#allowed += more;
    if (!this.#remoteEnded) this.#carrier.grant(this.id, more);
  }

  #send(): void {
    const unsent = this.#unsent;
    if (unsent === undefined || this.#gone || this.#waiting || this.#sending) return;
    // What is sent may be answered before this returns, by a window or a reset: one loop sends, and each chunk is done once.
    this.#sending = true;
    while (unsent.chunk.length > 0 && this.#sendWindow > 0 && !this.#gone) {
      if (this.#carrier.isFull()) {
        this.#waiting = true;
        this.#carrier.wait(this);
        break;
      }
      const piece = unsent.chunk.subarray(0, Math.min(largestPiece, this.#sendWindow));
      this.#sendWindow -= piece.length;
      unsent.chunk = unsent.chunk.subarray(piece.length);
      this.#carrier.sendData(this.id, piece);
    }
    this.#sending = false;
    if (unsent.chunk.length > 0 || this.#unsent !== unsent) return;
    this.#unsent = undefined;
    unsent.done();
  }
}
