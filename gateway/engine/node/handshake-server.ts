import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { BeginHandshake } from './tls-ends.ts';

/**
 * The server's end of handshakes on connections that somebody else accepted. A tls.Server that never listens does it, since only
 * such a server asks OpenSSL for its verdict about the peer.
 */
export class HandshakeServer {
  readonly #server: Server;
  readonly #waiting = new Map<string, { ready: (socket: TLSSocket) => void; note: (error: Error) => void }>();

  constructor(options: TlsOptions) {
    this.#server = createServer(options);
    this.#server.on('secureConnection', (socket) => this.#waiting.get(tupleOf(socket))?.ready(socket));
    this.#server.on('tlsClientError', (error, socket) => this.#waiting.get(tupleOf(socket))?.note(error));
  }

  /** `hello`: what was read from the socket already. `settle` begins, and resolves when it is over. */
  take<End>(transport: Socket, hello: Buffer, settle: (begin: BeginHandshake) => Promise<End>): Promise<End> {
    const key = tupleOf(transport);
    const { allowHalfOpen } = transport;
    const settled = settle((ready, note) => {
      const whole = (secure: TLSSocket) => {
        secure.allowHalfOpen = allowHalfOpen;
        ready(secure);
      };
      this.#waiting.set(key, { ready: whole, note });
      transport.unshift(hello);
      // Who ends its side before the handshake is done has gone: there is nothing to answer it. What TLS wraps inherits this.
      transport.allowHalfOpen = false;
      this.#server.emit('connection', transport);
    });
    return settled.finally(() => this.#waiting.delete(key));
  }
}

/** Unique among open connections. */
function tupleOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}
