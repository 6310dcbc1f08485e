import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { deadPort } from '../support/mesh-sockets.ts';

/** What a registry's server can be made to do to its clients until `repair`. */
export type Breakage =
  | 'errors' // 500 to everything
  | 'garbage' // 200 with something that is no JSON
  | 'half-json' // 200 with the first half of an answer, then a cut connection
  | 'wrong-json' // 200 with JSON of another shape
  | 'silence' // accepts, reads, says nothing, on old connections too
  | 'refused' // nothing listens
  | 'reset'; // accepts and resets

export type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** An HTTP server on loopback that can be broken in all the ways registries break. Keeps its port through it all. */
export class BreakableServer {
  readonly #handler: Handler;
  readonly #sockets = new Set<Socket>();
  readonly #onBreak = new Set<() => void>();
  #server: Server | undefined;
  #port = 0;
  #broken: Breakage | undefined;
  /** Set before `start`: serves https. */
  tls: TlsOptions | undefined;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  get url(): string {
    return `${this.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  /** Open connections of clients. */
  get connections(): number {
    return this.#sockets.size;
  }

  async start(): Promise<void> {
    const serve = (request: IncomingMessage, response: ServerResponse) => this.#serve(request, response);
    const server = this.tls === undefined ? createServer(serve) : createTlsServer(this.tls, serve);
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
      if (this.#broken === 'reset') socket.resetAndDestroy();
    });
    server.keepAliveTimeout = 60_000;
    this.#server = server;
    // Of a range that nobody is given by the kernel: it must be free for this one after it was down.
    if (this.#port === 0) this.#port = await deadPort();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
  }

  async break(how: Breakage): Promise<void> {
    this.#broken = how;
    if (how === 'refused') await this.stop();
    else if (how === 'reset') for (const socket of this.#sockets) socket.resetAndDestroy();
    else if (how !== 'silence') for (const wake of [...this.#onBreak]) wake();
  }

  async repair(): Promise<void> {
    const how = this.#broken;
    this.#broken = undefined;
    if (how === 'refused') await this.start();
  }

  /** Runs `wake` when answers that are being held must go out now, as broken ones; returns how to unhook it. */
  whenBroken(wake: () => void): () => void {
    this.#onBreak.add(wake);
    return () => this.#onBreak.delete(wake);
  }

  /** Sends a JSON answer, or what a server broken this way would send instead. */
  reply(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
    const text = JSON.stringify(body);
    const json = { 'content-type': 'application/json', ...headers };
    if (this.#broken === 'silence' || response.destroyed) return;
    if (this.#broken === 'errors') response.writeHead(500, { 'content-type': 'text/plain' }).end('rpc error: No cluster leader');
    else if (this.#broken === 'garbage') response.writeHead(200, json).end('<html>welcome to the captive portal</html>');
    else if (this.#broken === 'wrong-json') response.writeHead(200, json).end('{"error":[{"Service":7}],"Services":"none"}');
    else if (this.#broken === 'half-json') {
      response.writeHead(200, { ...json, 'content-length': String(Buffer.byteLength(text) + 64) });
      response.write(text.slice(0, Math.ceil(text.length / 2)), () => response.destroy());
    } else response.writeHead(status, json).end(text);
  }

  get broken(): Breakage | undefined {
    return this.#broken;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      if (this.#broken === undefined) this.#handler(request, response, body);
      else this.reply(response, 200, { a: [1, 2, 3] });
    });
  }
}
