import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { abortStream } from '../engine/node/abort-stream.ts';
import { pump } from '../engine/node/pump.ts';

export interface StreamEnds {
  readonly host: string;
  readonly port: number;
  readonly onBytes: (direction: 'up' | 'down', length: number) => void;
}

/**
 * Leads one stream of a tunnel to the mTLS listener that would take it if the caller could dial it, whatever proxy has that listener.
 * An end is passed on as an end and a break as a break. Resolves when both are done.
 */
export async function leadStream(stream: Duplex, { host, port, onBytes }: StreamEnds): Promise<void> {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  socket.on('error', () => {});
  const connected = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('close', () => resolve(false));
    stream.once('close', () => resolve(false));
  });
  if (!connected || stream.destroyed) {
    stream.destroy();
    socket.destroy();
    return;
  }
  const end = await pump(stream, socket, abortStream, { downstreamEnded: false, onBytes, onHalfClosed: () => {} });
  const close = end.broken === 'none' ? (each: Duplex) => each.destroy() : abortStream;
  close(stream);
  close(socket);
}
