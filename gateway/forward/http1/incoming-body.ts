import type { IncomingMessage } from 'node:http';
import { type RawHeaders, trailersOf } from '../headers.ts';
import type { IncomingBody } from '../message.ts';

export class Http1Body implements IncomingBody {
  readonly stream: IncomingMessage;

  constructor(message: IncomingMessage) {
    this.stream = message;
  }

  complete(): boolean {
    return this.stream.complete;
  }

  trailers(): RawHeaders {
    return trailersOf(this.stream.rawTrailers);
  }
}
