import type { Duplex } from 'node:stream';
import { endedByReset } from './ended-by-reset.ts';

export interface PumpOptions {
  /** Read from each side before the pump began, and owed to the other. */
  readonly fromDownstream?: Buffer | undefined;
  readonly fromUpstream?: Buffer | undefined;
  /** Its end was read already. */
  readonly downstreamEnded: boolean;
  /** Called with each move; for idle deadlines and byte counts, so it must be cheap. */
  readonly onBytes: (direction: 'up' | 'down', length: number) => void;
  /** One side has sent its end; the other direction goes on. */
  readonly onHalfClosed: () => void;
}

/** Which side broke the connection off; `none`: both directions ended in order. */
export type PumpEnd = { readonly broken: 'none' | 'downstream' | 'upstream'; readonly detail: string };

/**
 * Moves bytes both ways until both directions have ended or one side breaks. An end is passed on as an end, for its direction
 * alone; a break is passed on as a break (`abort`), so that nobody takes a cut stream for a whole one. Holds back each reader
 * while the other's writer is full. Both streams must allow half-open and be paused.
 */
export function pump(downstream: Duplex, upstream: Duplex, abort: (stream: Duplex) => void, options: PumpOptions): Promise<PumpEnd> {
  return new Promise((resolve) => {
    let open = 2;
    let settled = false;
    const settle = (end: PumpEnd) => {
      if (settled) return;
      settled = true;
      if (end.broken === 'downstream') abort(upstream);
      if (end.broken === 'upstream') abort(downstream);
      resolve(end);
    };
    const watchBreak = (stream: Duplex, broken: 'downstream' | 'upstream') => {
      stream.on('error', (error) => settle({ broken, detail: describe(error) }));
      // A stream whose two ends are both done closes by itself, maybe while the other still has bytes to send.
      stream.on('close', () => {
        if (!stream.readableEnded || !stream.writableFinished) settle({ broken, detail: 'closed before its end' });
      });
    };
    const onWayEnded = () => {
      open -= 1;
      if (open === 0) settle({ broken: 'none', detail: '' });
      else options.onHalfClosed();
    };
    watchBreak(downstream, 'downstream');
    watchBreak(upstream, 'upstream');
    const up = new OneWay(downstream, upstream, (length) => options.onBytes('up', length), onWayEnded);
    const down = new OneWay(upstream, downstream, (length) => options.onBytes('down', length), onWayEnded);
    // This way first: writing to a caller that is gone takes from the kernel the word that it has reset.
    up.start(options.fromDownstream, options.downstreamEnded);
    if (!downstream.destroyed) down.start(options.fromUpstream, false);
    if (downstream.destroyed) settle({ broken: 'downstream', detail: 'closed before its end' });
    else if (upstream.destroyed) settle({ broken: 'upstream', detail: 'closed before its end' });
  });
}

class OneWay {
  readonly #from: Duplex;
  readonly #to: Duplex;
  readonly #onBytes: (length: number) => void;
  readonly #onEnded: () => void;
  #unsent = 0;
  #ended = false;

  constructor(from: Duplex, to: Duplex, onBytes: (length: number) => void, onEnded: () => void) {
    this.#from = from;
    this.#to = to;
    this.#onBytes = onBytes;
    this.#onEnded = onEnded;
  }

  start(owed: Buffer | undefined, ended: boolean): void {
    this.#to.on('drain', () => this.#from.resume());
    if (owed !== undefined && owed.length > 0) this.#move(owed);
    // The end may have been emitted between the last chunk's reading and now, paused or not.
    if (ended || this.#from.readableEnded) {
      this.#end();
      return;
    }
    this.#from.on('end', () => this.#end());
    this.#from.on('data', (chunk: Buffer) => this.#move(chunk));
    if (!this.#to.writableNeedDrain) this.#from.resume();
  }

  #move(chunk: Buffer): void {
    this.#onBytes(chunk.length);
    this.#unsent += 1;
    if (!this.#to.write(chunk, this.#onSent)) this.#from.pause();
  }

  readonly #onSent = (): void => {
    this.#unsent -= 1;
    if (this.#ended && this.#unsent === 0) this.#passEnd();
  };

  #end(): void {
    if (endedByReset(this.#from)) {
      this.#from.destroy(new Error('reset right behind its last bytes'));
      return;
    }
    this.#ended = true;
    if (this.#unsent === 0) this.#passEnd();
  }

  /** Only after the last byte is out: a socket with an end queued behind bytes can be closed, but no longer reset, so a break would look like an end. */
  #passEnd(): void {
    this.#to.end(() => this.#onEnded());
  }
}

function describe(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
