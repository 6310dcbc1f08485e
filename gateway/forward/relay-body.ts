import type { RawHeaders } from './headers.ts';
import type { BodySink, IncomingBody } from './message.ts';

export interface RelayEvents {
  readonly onBytes: (length: number) => void;
  readonly onTrailers: (trailers: RawHeaders) => void;
  /** The upstream broke off in the middle. */
  readonly onBroken: () => void;
}

/** Body and trailers, as they come; the upstream is held back while the caller is slow. */
export function relayBody(from: IncomingBody, to: BodySink, on: RelayEvents): void {
  const { stream } = from;
  stream.on('data', (chunk: Buffer) => {
    on.onBytes(chunk.length);
    if (!to.write(chunk)) stream.pause();
  });
  to.onDrain(() => stream.resume());
  stream.on('error', () => {});
  stream.on('close', () => {
    if (!from.complete()) on.onBroken();
  });
  stream.on('end', () => {
    if (!from.complete()) return;
    const trailers = from.trailers();
    if (trailers.length > 0) on.onTrailers(trailers);
    to.end(trailers);
  });
}
