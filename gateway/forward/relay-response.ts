import type { IncomingMessage, ServerResponse } from 'node:http';
import { responseHeaders, trailerPairs } from './headers.ts';

export interface RelayOptions {
  /** Tell the caller that this connection ends with the answer. */
  readonly close: boolean;
  readonly onBytes: (length: number) => void;
  /** The upstream broke off in the middle. */
  readonly onBroken: () => void;
}

/** Head, body and trailers, as they come; the upstream is held back while the caller is slow. */
export function relayResponse(from: IncomingMessage, to: ServerResponse, options: RelayOptions): void {
  const headers = responseHeaders(from.rawHeaders);
  if (options.close) headers.push('connection', 'close');
  to.writeHead(from.statusCode ?? 502, from.statusMessage ?? '', headers);
  from.on('data', (chunk: Buffer) => {
    options.onBytes(chunk.length);
    if (!to.write(chunk)) from.pause();
  });
  to.on('close', () => {
    if (!from.complete) from.destroy();
  });
  to.on('drain', () => from.resume());
  from.on('error', () => {});
  from.on('close', () => {
    if (!from.complete && !to.destroyed) options.onBroken();
  });
  from.on('end', () => {
    if (!from.complete) return;
    const trailers = trailerPairs(from.rawTrailers);
    if (trailers.length > 0) to.addTrailers(trailers);
    to.end();
  });
}
