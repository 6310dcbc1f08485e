import type { BodySink, RequestBody } from './message.ts';
import type { BodyFollower } from './replay-body.ts';

export interface CopyBodyOptions {
  /** Of a body that has not ended; then what follows is sent as it comes. */
  readonly beginAtBytes: number;
  /** What the mirror has not taken yet. */
  readonly maxQueuedBytes: number;
  /** Enough is there to send. At most once. */
  readonly onBegin: () => void;
  /** All of it came in. */
  readonly onEnded: () => void;
  /** There will be no whole copy. `slow`: the mirror did not take it as fast as it came. */
  readonly onGivenUp: (slow: boolean) => void;
}

/** A request's body on its way to a mirror. Never holds the request back: when too much waits for the mirror, the copy is given up. */
export class CopyBody implements RequestBody, BodyFollower {
  readonly #options: CopyBodyOptions;
  readonly #queue: Buffer[] = [];
  #queuedBytes = 0;
  #sink: BodySink | undefined;
  #full = false;
  #begun = false;
  #ended = false;
  #over = false;

  constructor(options: CopyBodyOptions) {
    this.#options = options;
  }

  chunk(chunk: Buffer): void {
    if (this.#over) return;
    this.#queue.push(chunk);
    this.#queuedBytes += chunk.length;
    if (this.#sink !== undefined) this.#flush(this.#sink);
    else if (this.#queuedBytes > this.#options.beginAtBytes) this.#begin();
    if (this.#queuedBytes > this.#options.maxQueuedBytes) this.#giveUp(true);
  }

  end(): void {
    if (this.#over) return;
    this.#ended = true;
    this.#options.onEnded();
    this.#begin();
    if (this.#sink !== undefined) this.#flush(this.#sink);
  }

  broken(): void {
    if (!this.#over && !this.#ended) this.#giveUp(false);
  }

  /** Nobody takes it any more. Idempotent. */
  forget(): void {
    this.#over = true;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
  }

  sendTo(sink: BodySink): void {
    this.#sink = sink;
    sink.onDrain(() => {
      this.#full = false;
      this.#flush(sink);
    });
    this.#flush(sink);
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#options.onBegin();
  }

  #flush(sink: BodySink): void {
    while (!this.#over && !this.#full) {
      const chunk = this.#queue.shift();
      if (chunk === undefined) break;
      this.#queuedBytes -= chunk.length;
      this.#full = !sink.write(chunk);
    }
    if (this.#over || !this.#ended || this.#queue.length > 0) return;
    this.#over = true;
    sink.end([]);
  }

  #giveUp(slow: boolean): void {
    this.forget();
    this.#options.onGivenUp(slow);
  }
}
