import { Duplex } from 'node:stream';

/**
 * Two ends of a link whose bytes arrive cut as `sizes` say, one piece a turn of the loop, and with backpressure of a few KiB. What is
 * written to one end is read from the other; `cut` breaks both.
 */
export function cutLink(sizes: readonly number[]): { readonly left: Duplex; readonly right: Duplex; cut(): void } {
  const left: LinkEnd = new LinkEnd(sizes, () => right);
  const right: LinkEnd = new LinkEnd(sizes, () => left);
  return {
    left,
    right,
    cut: () => {
      left.destroy();
      right.destroy();
    },
  };
}

class LinkEnd extends Duplex {
  readonly #sizes: readonly number[];
  readonly #other: () => LinkEnd;
  #next = 0;
  #resume: (() => void) | undefined;

  constructor(sizes: readonly number[], other: () => LinkEnd) {
    super({ highWaterMark: 4_096 });
    this.#sizes = sizes;
    this.#other = other;
    this.on('error', () => {});
  }

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const size = Math.max(1, this.#sizes[this.#next++ % this.#sizes.length] ?? 1);
    const other = this.#other();
    if (other.destroyed) {
      done();
      return;
    }
    const piece = Buffer.from(chunk.subarray(0, size));
    const rest = chunk.subarray(size);
    const go = () => (rest.length === 0 ? done() : this._write(rest, 'utf8' as BufferEncoding, done));
    if (other.push(piece)) setImmediate(go);
    else other.#resume = () => setImmediate(go);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#other().push(null);
    done();
  }
}
