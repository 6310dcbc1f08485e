import type { BodySink, IncomingBody } from './message.ts';

export interface RelayEvents {
  readonly onBytes: (length: number) => void;
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
    if (from.complete()) to.end(from.trailers());
  });
}
