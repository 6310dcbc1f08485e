import type { Http2Stream } from 'node:http2';
import type { RawHeaders } from '../headers.ts';
import type { BodySink } from '../message.ts';
import { addWireHeaders, emptyHeaders } from './wire-headers.ts';

/** `trailers`: the stream waits for them at its end. */
export class Http2Sink implements BodySink {
  readonly #stream: Http2Stream;
  #trailers: RawHeaders = [];
  /** All was said. */
  ended = false;

  constructor(stream: Http2Stream, trailers: boolean) {
    this.#stream = stream;
    if (trailers) stream.on('wantTrailers', () => stream.sendTrailers(addWireHeaders(emptyHeaders(), this.#trailers)));
  }

  write(chunk: Uint8Array): boolean {
    // What comes after a reset goes nowhere; whoever feeds this learns of it by the stream's close.
    return this.#stream.writableEnded || this.#stream.destroyed || this.#stream.write(chunk);
  }

  onDrain(listener: () => void): void {
    this.#stream.on('drain', listener);
  }

  end(trailers: RawHeaders): void {
    this.ended = true;
    this.#trailers = trailers;
    if (!this.#stream.writableEnded) this.#stream.end();
  }
}
