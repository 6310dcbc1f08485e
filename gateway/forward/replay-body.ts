import type { BodySink, IncomingBody, RequestBody } from './message.ts';

/** Sees a body as it comes; holds nobody back. */
export interface BodyFollower {
  chunk(chunk: Buffer): void;
  end(): void;
  /** No more comes of it, or nobody wants it. */
  broken(): void;
}

/**
 * A request's body on its way upstream, kept up to a limit so that it can be sent again. Holds the caller back while the
 * current upstream is full. One sink at a time.
 */
export class ReplayBody implements RequestBody {
  readonly #source: IncomingBody;
  readonly #limit: number;
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
  #sink: BodySink | undefined;
  #ended = false;
  #started = false;
  #onWhole: (() => void)[] | undefined;
  #followers: BodyFollower[] | undefined;
  /** Body bytes that came in. */
  bytes = 0;

  constructor(source: IncomingBody, limit: number) {
    this.#source = source;
    this.#limit = limit;
  }

  /** The whole of what came so far can be sent once more. */
  get replayable(): boolean {
    return this.#kept !== undefined;
  }

  /** All of it came in. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Once all of it came in; at once if it did. */
  whenEnded(run: () => void): void {
    if (this.#ended) run();
    else if (this.#onWhole === undefined) this.#onWhole = [run];
    else this.#onWhole.push(run);
  }

  /** From its beginning; before anything was sent. */
  follow(follower: BodyFollower): void {
    if (this.#followers === undefined) this.#followers = [follower];
    else this.#followers.push(follower);
  }

  /** Sends what is kept, then what comes. Only while `replayable`, or the first time. */
  sendTo(sink: BodySink, onBytes: () => void): void {
    this.#sink = sink;
    for (const chunk of this.#kept ?? []) sink.write(chunk);
    if (this.#ended) {
      this.#end(sink);
      return;
    }
    sink.onDrain(() => {
      if (this.#sink === sink) this.#source.stream.resume();
    });
    if (!this.#started) this.#start(onBytes);
    // Also the first time: an attempt that failed before it sent anything has paused the source.
    this.#source.stream.resume();
  }

  /** Stops feeding the sink, which has failed. */
  detach(): void {
    this.#sink = undefined;
    if (!this.#ended) this.#source.stream.pause();
  }

  /** Nobody wants the rest: lets it run out, so that the connection can be used again. */
  discard(): void {
    this.#sink = undefined;
    this.#kept = undefined;
    this.#unfollow();
    this.#source.stream.resume();
  }

  #start(onBytes: () => void): void {
    this.#started = true;
    const { stream } = this.#source;
    stream.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      onBytes();
      this.#keep(chunk);
      for (const follower of this.#followers ?? []) follower.chunk(chunk);
      if (this.#sink !== undefined && !this.#sink.write(chunk)) stream.pause();
    });
    const onEnd = () => {
      // Of HTTP/2 one that was reset ends, too; whoever sent it on is told by the exchange's end.
      if (!this.#source.complete()) return;
      this.#ended = true;
      if (this.#sink !== undefined) this.#end(this.#sink);
      for (const run of this.#onWhole ?? []) run();
      for (const follower of this.#followers ?? []) follower.end();
      this.#followers = undefined;
    };
    // Node ends an empty body of HTTP/2 as it comes, whether anybody listens or not: before now where a connection had to be opened first.
    if (stream.readableEnded) onEnd();
    else stream.on('end', onEnd);
    if (this.#followers !== undefined) stream.on('close', () => this.#unfollow());
  }

  #unfollow(): void {
    for (const follower of this.#followers ?? []) follower.broken();
    this.#followers = undefined;
  }

  #keep(chunk: Buffer): void {
    if (this.#kept === undefined) return;
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > this.#limit) this.#kept = undefined;
    else this.#kept.push(chunk);
  }

  #end(sink: BodySink): void {
    sink.end(this.#source.trailers());
  }
}
