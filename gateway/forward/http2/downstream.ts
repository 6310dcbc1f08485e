import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Downstream } from '../downstream.ts';
import { headerOf } from '../headers.ts';
import type { BodySink, IncomingBody, RequestHead, ResponseHead } from '../message.ts';
import type { UpgradeEnd } from '../tunnel.ts';
import { Http2Body } from './incoming-body.ts';
import { Http2Sink } from './outgoing-body.ts';
import { readRequest } from './read-request.ts';
import { addWireHeaders, emptyHeaders } from './wire-headers.ts';

const { HTTP2_HEADER_STATUS, NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** One stream that a caller opened. */
export class Http2Downstream implements Downstream {
  readonly protocol = 'HTTP/2';
  readonly request: RequestHead;
  readonly refused: Downstream['refused'];
  readonly body: IncomingBody;
  readonly upgrade = false;
  onEnd: () => void = () => {};
  readonly #stream: ServerHttp2Stream;
  #sink: Http2Sink | undefined;

  /** `raw`, `flags`: as Node's session gives them with the stream. */
  constructor(
    stream: ServerHttp2Stream,
    raw: readonly string[],
    flags: number,
    { scheme, maxHeaders }: { readonly scheme: RequestHead['scheme']; readonly maxHeaders: number },
  ) {
    this.#stream = stream;
    const { head, refused } = readRequest(raw, (flags & NGHTTP2_FLAG_END_STREAM) !== 0, scheme, maxHeaders);
    this.request = head;
    this.refused = refused;
    this.body = new Http2Body(stream, true);
    stream.on('error', () => {});
    stream.once('close', () => this.onEnd());
  }

  get answered(): boolean {
    return this.#stream.headersSent;
  }

  get ended(): boolean {
    return this.#sink?.ended === true;
  }

  get finished(): boolean {
    return this.ended && this.#stream.closed && this.#stream.rstCode === NGHTTP2_NO_ERROR;
  }

  get gone(): boolean {
    return this.#stream.closed || this.#stream.destroyed;
  }

  sendContinue(): void {
    if (!this.answered && !this.gone) this.#stream.additionalHeaders({ [HTTP2_HEADER_STATUS]: constants.HTTP_STATUS_CONTINUE });
  }

  respond({ status, headers, bare }: ResponseHead): BodySink {
    const endStream = bare === true || this.request.method === 'HEAD';
    // Trailers that nobody announced do not come after a length.
    const trailers = !endStream && (headerOf(headers, 'content-length') === undefined || headerOf(headers, 'trailer') !== undefined);
    const sink = new Http2Sink(this.#stream, trailers);
    this.#sink = sink;
    if (this.gone) return sink;
    const wire = emptyHeaders();
    wire[HTTP2_HEADER_STATUS] = status;
    this.#stream.respond(addWireHeaders(wire, headers), { endStream, waitForTrailers: trailers, sendDate: false } as ResponseOptions);
    return sink;
  }

  accept(): UpgradeEnd {
    throw new Error('no upgrade was asked for');
  }

  abort(): void {
    if (!this.#stream.destroyed) this.#stream.close(NGHTTP2_INTERNAL_ERROR);
  }
}

/** Node's types do not know `sendDate`. */
type ResponseOptions = Parameters<ServerHttp2Stream['respond']>[1] & { readonly sendDate: boolean };
