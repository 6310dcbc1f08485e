import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export type Handler = (request: IncomingMessage, response: ServerResponse, backend: string) => void;
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

const nothing: Handler = (_request, response) => void response.writeHead(500).end('no case is running');

/** The application behind a service: one or more listeners, which all behave as the running case says. */
export class HttpBackend {
  readonly #servers: { readonly id: string; readonly server: Server; readonly port: number }[] = [];
  readonly #sockets = new Set<Socket>();
  #handler: Handler = nothing;
  #upgrade: UpgradeHandler = (_request, socket) => socket.destroy();
  #hits: string[] = [];

  /** Another place where it answers, as `id`. Resolves with its port. */
  async open(id: string): Promise<number> {
    const server = createServer({ requireHostHeader: false, requestTimeout: 0, maxHeaderSize: 256 * 1024 }, (request, response) => {
      this.#hits.push(id);
      for (const each of [request, response, request.socket]) if (each.listenerCount('error') === 0) each.on('error', () => {});
      this.#handler(request, response, id);
    });
    server.on('checkContinue', (request, response) => server.emit('request', request, response));
    server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => {});
      this.#upgrade(request, socket, head);
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    this.#servers.push({ id, server, port });
    return port;
  }

  /** From now on, and counting requests anew. */
  behave(handler: Handler, upgrade?: UpgradeHandler): void {
    this.#handler = handler;
    if (upgrade !== undefined) this.#upgrade = upgrade;
    this.#hits = [];
  }

  /** Which backend got each request since `behave`. */
  get hits(): readonly string[] {
    return this.#hits;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map(({ server }) => new Promise((resolve) => server.close(resolve))));
  }
}
