import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** TLS socket → the TCP socket under it. */
const beneath = new WeakMap<TLSSocket, Socket>();
/** TCP sockets that a TLS socket reads and writes by. */
const wrapped = new WeakSet<Socket>();

/** To be called before the handshake begins. */
export function markTransport(transport: Socket): void {
  wrapped.add(transport);
}

/** Remembers the TCP socket under a TLS one, so that `abortStream` can reset it. */
export function rememberTransport(secure: TLSSocket, transport: Socket): void {
  beneath.set(secure, transport);
}

/** The TCP socket that carries a stream; undefined: none does, or it is not known. */
export function transportOf(stream: Duplex): Socket | undefined {
  const transport = stream instanceof TLSSocket ? beneath.get(stream) : stream;
  return transport instanceof Socket && !(transport instanceof TLSSocket) ? transport : undefined;
}

/** Stream that is no socket of TCP → what makes a break of its end, to be called before that. */
const breakers = new WeakMap<Duplex, () => void>();

/** How `abortStream` is to break off a stream whose other side is carried elsewhere in this process. */
export function breakBy(stream: Duplex, breaker: () => void): void {
  breakers.set(stream, breaker);
}

/**
 * Ends a stream so that the other side sees a break, not an end: TCP RST. Over TLS as well, because Node's TLS readers take a
 * FIN without close_notify for an ordinary end. Idempotent.
 */
export function abortStream(stream: Duplex): void {
  const breaker = breakers.get(stream);
  if (breaker !== undefined) {
    if (!stream.destroyed) breaker();
    stream.destroy();
    return;
  }
  const transport = transportOf(stream);
  if (transport === undefined) {
    stream.destroy();
    return;
  }
  if (!wrapped.has(transport)) {
    reset(stream, transport);
    return;
  }
  // We may be in a callback of OpenSSL's, which goes on to use the descriptor: resetting it there corrupts memory (Node 20).
  stream.pause();
  setImmediate(() => {
    reset(stream, transport);
    stream.destroy();
  });
}

function reset(stream: Duplex, transport: Socket): void {
  // libuv refuses to reset while a shutdown is under way, and Node would then leak the descriptor.
  const shuttingDown = stream.writableEnded && !stream.writableFinished;
  // One that is connecting would be reset once it stands, and until then the kernel goes on trying: there is nobody to see a break yet.
  if (shuttingDown || transport.connecting) transport.destroy();
  else if (!transport.destroyed) transport.resetAndDestroy();
}
