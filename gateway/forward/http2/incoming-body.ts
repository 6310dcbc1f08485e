import { constants, type Http2Stream } from 'node:http2';
import { type RawHeaders, trailersOf } from '../headers.ts';
import type { IncomingBody } from '../message.ts';

const { NGHTTP2_NO_ERROR } = constants;

/** Made with its stream: what Node says of a stream afterwards does not tell the end of its message from a reset. */
export class Http2Body<S extends Http2Stream = Http2Stream> implements IncomingBody {
  readonly stream: S;
  #trailers: RawHeaders = [];
  /** END_STREAM came. */
  #whole: boolean;

  /** `begun`: by the other end; Node tells of such a stream when it has read what came with its headers already. */
  constructor(stream: S, begun: boolean) {
    this.stream = stream;
    this.#whole = begun && (stream.endAfterHeaders || (!stream.closed && stream.state.remoteClose === 1));
    if (!this.#whole) this.#watchEnd();
    stream.on('trailers', (_headers: unknown, _flags: number, raw: string[]) => {
      this.#trailers = trailersOf(raw);
    });
  }

  complete(): boolean {
    return this.#whole && (this.stream.rstCode ?? NGHTTP2_NO_ERROR) === NGHTTP2_NO_ERROR;
  }

  trailers(): RawHeaders {
    return this.#trailers;
  }

  /** For END_STREAM Node ends the readable side of an open stream, for RST_STREAM that of one which it has closed already. */
  #watchEnd(): void {
    const { stream } = this;
    const push = stream.push;
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk === null && !stream.closed) this.#whole = true;
      return push.call(stream, chunk, encoding);
    };
  }
}
