import type { Readable } from 'node:stream';
import type { RawHeaders } from './headers.ts';

/** What every version of HTTP says of a request, in one form. */
export interface RequestHead {
  readonly method: string;
  /** With its query; origin form, or `*`. */
  readonly path: string;
  /** Host or :authority; empty: none was named (HTTP/1.0). */
  readonly authority: string;
  readonly scheme: 'http' | 'https';
  /**
   * End to end alone, names in lower case, in order and with duplicates. No pseudo headers, no Host, nothing of framing but
   * content-length; `te: trailers` where the caller takes trailers.
   */
  readonly headers: RawHeaders;
  /** A body of unknown length comes. */
  readonly streamed: boolean;
}

/** Of a final answer. `headers` as in RequestHead. */
export interface ResponseHead {
  readonly status: number;
  /** HTTP/1.1 alone; absent: the status's own. */
  readonly reason?: string;
  readonly headers: RawHeaders;
  /** Neither body nor trailers come: HTTP/2 says so in the head, which is how gRPC ends a call that brings nothing. */
  readonly bare?: true;
}

/** A body that comes in. */
export interface IncomingBody {
  /** Of Buffers; `pause` holds the sender back. */
  readonly stream: Readable;
  /** The message is whole; false after `close` means that it broke off, by close or reset. */
  complete(): boolean;
  /** As in RequestHead.headers; known when the stream has ended. */
  trailers(): RawHeaders;
}

/** A body that goes out. */
export interface BodySink {
  /** False: wait for drain. */
  write(chunk: Uint8Array): boolean;
  onDrain(listener: () => void): void;
  /** `trailers` as in RequestHead.headers; may be empty. */
  end(trailers: RawHeaders): void;
}

/** A request's body on its way upstream: one sink at a time, and from its beginning for each of them. */
export interface RequestBody {
  sendTo(sink: BodySink, onBytes: () => void): void;
}
