import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Behaviour } from './case.ts';

export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** One instance of a service: says who it is and what it saw, and behaves as it is told to. */
export class Backend {
  readonly name: string;
  readonly sockets = new Set<Socket>();
  #behaviour: Behaviour = {};
  #came = 0;
  #carried = new Set<Socket>();
  #server: Server | undefined;

  constructor(name: string) {
    this.name = name;
  }

  behave(behaviour: Behaviour): void {
    this.#behaviour = behaviour;
    this.forget();
  }

  /** Counts begin anew. */
  forget(): void {
    this.#came = 0;
    this.#carried = new Set();
  }

  get came(): number {
    return this.#came;
  }

  get connections(): number {
    return this.#carried.size;
  }

  /** Over TLS where a certificate is given. Returns the port. */
  async listen(kind: 'http' | 'bytes', certificate?: ServerCertificate): Promise<number> {
    const answer = (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response);
    const greet = (socket: Socket) => this.#greet(socket);
    const plain = () => (kind === 'http' ? createServer(answer) : createTcpServer(greet));
    const secured = (c: ServerCertificate) => (kind === 'http' ? createHttpsServer({ ...c }, answer) : createTlsServer({ ...c }, greet));
    const server = certificate === undefined ? plain() : secured(certificate);
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
    });
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#server = server;
    return (server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server?.close();
    for (const socket of this.sockets) socket.destroy();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    if (request.url === '/healthz') {
      response.statusCode = this.#behaviour.health ?? 200;
      response.end();
      return;
    }
    this.#came += 1;
    this.#carried.add(request.socket);
    const { first = Number.POSITIVE_INFINITY } = this.#behaviour;
    const { status = 200, headers = {}, delayMs = 0, reset = false } = this.#came <= first ? this.#behaviour : {};
    const finish = () => {
      if (reset) {
        request.socket.destroy();
        return;
      }
      const { method, url } = request;
      const seen = { by: this.name, method, path: url, headers: request.headers };
      response.writeHead(status, { ...headers, 'x-by': this.name });
      response.end(JSON.stringify(seen));
    };
    if (delayMs === 0) finish();
    else setTimeout(finish, delayMs);
  }

  /** Waits for the caller's first word: not every proxy opens a connection before. */
  #greet(socket: Socket): void {
    socket.on('error', () => {});
    socket.once('data', () => {
      this.#came += 1;
      this.#carried.add(socket);
      socket.end(this.name);
    });
  }
}
