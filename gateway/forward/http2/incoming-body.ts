import type { Http2Stream } from 'node:http2';
import { type RawHeaders, trailersOf } from '../headers.ts';
import type { IncomingBody } from '../message.ts';

export class Http2Body implements IncomingBody {
  readonly stream: Http2Stream;
  #trailers: RawHeaders = [];
  #ended = false;

  constructor(stream: Http2Stream) {
    this.stream = stream;
    stream.on('trailers', (_headers: unknown, _flags: number, raw: string[]) => {
      this.#trailers = trailersOf(raw);
    });
    stream.on('end', () => {
      // A stream that is reset ends, too.
      this.#ended = !stream.aborted && (stream.rstCode ?? 0) === 0;
    });
  }

  complete(): boolean {
    return this.#ended;
  }

  trailers(): RawHeaders {
    return this.#trailers;
  }
}
