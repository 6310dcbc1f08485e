import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** An application that speaks its own protocol; connections behave as the running case says. */
export class TcpBackend {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #handler: (socket: Socket) => void = (socket) => socket.destroy();
  connections = 0;

  constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => this.#sockets.delete(socket));
      this.#handler(socket);
    });
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on, and counting connections anew. */
  behave(handler: (socket: Socket) => void): void {
    this.#handler = handler;
    this.connections = 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
