import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

const beneath = new WeakMap<TLSSocket, Socket>();

/** Remembers the TCP socket under a TLS one, so that `abortStream` can reset it. */
export function rememberTransport(secure: TLSSocket, transport: Socket): void {
  beneath.set(secure, transport);
}

/**
 * Ends a stream so that the other side sees a break, not an end: TCP RST. Over TLS as well, because Node's TLS readers take a
 * FIN without close_notify for an ordinary end. Idempotent.
 */
export function abortStream(stream: Duplex): void {
  const transport = stream instanceof TLSSocket ? beneath.get(stream) : stream;
  // libuv refuses to reset while a shutdown is under way, and Node would then leak the descriptor.
  const shuttingDown = stream.writableEnded && !stream.writableFinished;
  if (transport instanceof Socket && !(transport instanceof TLSSocket) && !transport.destroyed && !shuttingDown) {
    transport.resetAndDestroy();
  }
  stream.destroy();
}
