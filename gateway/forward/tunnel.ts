import type { Duplex } from 'node:stream';
import { abortStream, pump, type ResponseFlag } from '../engine/index.ts';

/** One end of a connection that HTTP has let go of, with what was read too far. */
export interface UpgradeEnd {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Bytes both ways until the end; the flag says who broke it off. */
export async function tunnel(
  downstream: UpgradeEnd,
  upstream: UpgradeEnd,
  on: { readonly onBytes: (length: number) => void; readonly touch: () => void },
): Promise<ResponseFlag | undefined> {
  const end = await pump(downstream.socket, upstream.socket, abortStream, {
    fromDownstream: downstream.head,
    fromUpstream: upstream.head,
    downstreamEnded: false,
    onBytes: (direction, length) => (direction === 'down' ? on.onBytes(length) : on.touch()),
    onHalfClosed: on.touch,
  });
  const close = end.broken === 'none' ? (stream: Duplex) => stream.destroy() : abortStream;
  close(downstream.socket);
  close(upstream.socket);
  return end.broken === 'none' ? undefined : end.broken === 'downstream' ? 'DC' : 'UC';
}
