/** Ms that a line waits at most for others to be written with. */
const flushMs = 100;
const flushLength = 16_384;
/** What waits because nobody reads; what comes on top is lost, and the traffic goes on. */
const maxLength = 4_194_304;

/**
 * Writes lines a few at a time: a system call for each request costs more than deciding where the request goes. Synchronously, so
 * that `flush` at the end of a process leaves nothing behind.
 */
export class LineWriter {
  readonly #write: (bytes: Buffer) => number;
  #text = '';
  /** Of lines that were begun, or refused for now. */
  #rest: Buffer | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `write`: as `writeSync`; it may write a part, and throws EAGAIN when it can't write now. */
  constructor(write: (bytes: Buffer) => number) {
    this.#write = write;
  }

  add(line: string): void {
    if (this.#text.length + (this.#rest?.length ?? 0) > maxLength) return;
    this.#text += `${line}\n`;
    if (this.#text.length >= flushLength && this.#rest === undefined) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), flushMs).unref();
  }

  /** All that waits; what cannot be written now is tried again, and what never can be is lost. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let bytes = this.#rest === undefined ? Buffer.from(this.#text) : Buffer.concat([this.#rest, Buffer.from(this.#text)]);
    this.#text = '';
    this.#rest = undefined;
    try {
      while (bytes.length > 0) bytes = bytes.subarray(this.#write(bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      this.#rest = bytes;
      this.#timer = setTimeout(() => this.flush(), flushMs).unref();
    }
  }
}
