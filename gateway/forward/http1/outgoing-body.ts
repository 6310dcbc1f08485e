import type { OutgoingMessage } from 'node:http';
import type { RawHeaders } from '../headers.ts';
import type { BodySink } from '../message.ts';

export class Http1Sink implements BodySink {
  readonly #message: OutgoingMessage;

  constructor(message: OutgoingMessage) {
    this.#message = message;
  }

  write(chunk: Uint8Array): boolean {
    return this.#message.write(chunk);
  }

  onDrain(listener: () => void): void {
    this.#message.on('drain', listener);
  }

  end(trailers: RawHeaders): void {
    // Node sends them only where the body is chunked.
    if (trailers.length > 0) this.#message.addTrailers(pairs(trailers));
    this.#message.end();
  }
}

function pairs(raw: RawHeaders): [string, string][] {
  const list: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) list.push([raw[i] ?? '', raw[i + 1] ?? '']);
  return list;
}
