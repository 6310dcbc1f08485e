import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Timed } from '../deadlines.ts';
import { abortStream, type DeliveredConnection } from '../engine/index.ts';
import type { ForwardParts } from './contract.ts';
import { Exchange } from './exchange.ts';
import { Http1Downstream } from './http1/downstream.ts';
import { detectPreface, Http2ServerSession } from './http2/index.ts';

const lingerMs = 1_000;

/** Speaks HTTP on delivered connections, in the version that a caller begins with, and forwards each request by itself. */
export class HttpForwarder {
  readonly #parts: Omit<ForwardParts, 'draining'> & { draining: () => boolean };
  readonly #server: Server;
  readonly #connections = new Map<Duplex, HttpConnection>();
  readonly #sessions = new Set<Http2ServerSession>();
  #draining = false;

  constructor(parts: Omit<ForwardParts, 'draining'>) {
    this.#parts = { ...parts, draining: () => this.#draining };
    const { maxHeaderBytes, keepAliveTimeoutMs } = parts.limits;
    // Its own timeouts work on listening servers only; ours are the deadlines below.
    this.#server = createServer({
      maxHeaderSize: maxHeaderBytes,
      insecureHTTPParser: false,
      keepAliveTimeout: keepAliveTimeoutMs,
      requestTimeout: 0,
      headersTimeout: 0,
    });
    // Node drops what is beyond in silence; exchanges count, and refuse.
    this.#server.maxHeadersCount = 0;
    this.#server.timeout = 0;
    this.#server.on('request', (request, response) => this.#exchange(request, response));
    this.#server.on('checkContinue', (request, response) => this.#exchange(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on('connect', (request, socket) => {
      this.#connections.get(request.socket)?.linger();
      refuse(socket, '405 Method Not Allowed');
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const known = this.#connections.get(socket);
      if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
      // What comes after a request is answered by its exchange, or by nobody: a second answer could be taken for another's.
      else if (known?.exchange !== undefined) known.exchange.bodyIsBroken();
      else if (known === undefined || known.begun) socket.end(() => socket.destroy());
      else {
        known.linger();
        refuse(socket, error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request');
      }
    });
  }

  /** Takes a connection over; it is closed when its peer, a limit or drain says so. */
  handle(connection: DeliveredConnection): void {
    const { socket } = connection;
    const known = new HttpConnection(connection, this.#parts);
    this.#connections.set(socket, known);
    socket.once('close', () => {
      known.dispose();
      this.#connections.delete(socket);
    });
    if (socket.destroyed) return;
    known.awaitRequest(this.#parts.limits.headersTimeoutMs);
    const begin = (http2: boolean) => {
      if (http2) this.#beginHttp2(known);
      else this.#beginHttp1(socket);
    };
    // What TLS has settled needs no look at the bytes.
    if (connection.alpn === '') detectPreface(socket, begin);
    else begin(connection.alpn === 'h2');
  }

  /** Idle connections end now, others with the answer they are waiting for. */
  drain(): void {
    this.#draining = true;
    for (const [socket, connection] of this.#connections) if (connection.active === 0) socket.end(() => socket.destroy());
    for (const session of this.#sessions) session.drain();
    this.#parts.upstream.close();
  }

  #beginHttp1(socket: Duplex): void {
    this.#server.emit('connection', socket);
    // Delivered paused, so that nothing was lost on the way here.
    socket.resume();
  }

  #beginHttp2(known: HttpConnection): void {
    const { socket } = known.connection;
    known.dispose();
    this.#connections.delete(socket);
    const session = new Http2ServerSession(this.#parts, known.connection);
    this.#sessions.add(session);
    socket.once('close', () => this.#sessions.delete(session));
    if (this.#draining) session.drain();
  }

  #exchange(request: IncomingMessage, response: ServerResponse): void {
    const known = this.#connections.get(request.socket);
    if (known === undefined) {
      request.socket.destroy();
      return;
    }
    const downstream = new Http1Downstream(known.connection, request, response, this.#parts.limits.maxHeaders);
    const exchange = new Exchange(this.#parts, known.connection, downstream);
    known.began(exchange);
    response.once('close', () => known.finished(exchange));
    void exchange.run();
  }

  /** Only WebSockets are let through; any other offer is one that a server may ignore (RFC 9110 §7.8), and we do. */
  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const known = this.#connections.get(socket);
    if (known === undefined) {
      socket.destroy();
      return;
    }
    known.began();
    socket.on('error', () => {});
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(request.socket);
    const webSocket = request.headers.upgrade?.trim().toLowerCase() === 'websocket';
    if (!webSocket && (request.headers['content-length'] ?? '0') !== '0') {
      known.linger();
      refuse(socket, '501 Not Implemented');
      return;
    }
    response.once('finish', () => socket.end(() => socket.destroy()));
    const { maxHeaders } = this.#parts.limits;
    const downstream = new Http1Downstream(known.connection, request, response, maxHeaders, webSocket ? { socket, head } : undefined);
    void new Exchange(this.#parts, known.connection, downstream).run();
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  lingerClose(socket);
}

/**
 * Ends the connection without taking the answer back: closing a socket with unread bytes resets it, and the caller would lose what it was
 * told (RFC 9112 §9.6). The connection's own deadline bounds the wait for the caller's end.
 */
function lingerClose(socket: Duplex): void {
  socket.removeAllListeners('data');
  socket.on('data', () => {});
  socket.once('end', () => socket.destroy());
  socket.resume();
}

/** Bounds the waits between requests, which slow senders of headers would stretch. */
class HttpConnection implements Timed {
  readonly connection: DeliveredConnection;
  readonly #parts: ForwardParts;
  deadline = Number.POSITIVE_INFINITY;
  slot: number | undefined;
  active = 0;
  /** A request came in already. */
  begun = false;
  /** The newest one that is not over. */
  exchange: Exchange | undefined;

  constructor(connection: DeliveredConnection, parts: ForwardParts) {
    this.connection = connection;
    this.#parts = parts;
  }

  awaitRequest(limitMs: number): void {
    this.deadline = this.#parts.clock.monotonic() + limitMs;
    this.#parts.deadlines.watch(this);
  }

  began(exchange?: Exchange): void {
    this.exchange = exchange;
    this.active += 1;
    this.begun = true;
    this.deadline = Number.POSITIVE_INFINITY;
  }

  finished(exchange: Exchange): void {
    if (this.exchange === exchange) this.exchange = undefined;
    this.active -= 1;
    if (this.active > 0 || this.connection.socket.destroyed) return;
    if (this.#parts.draining()) this.connection.socket.end(() => this.connection.socket.destroy());
    else this.awaitRequest(this.#parts.limits.keepAliveTimeoutMs);
  }

  /** Its last answer is out; what the caller still sends is not read by anybody. */
  linger(): void {
    this.deadline = this.#parts.clock.monotonic() + lingerMs;
    this.#parts.deadlines.watch(this);
  }

  expire(): void {
    abortStream(this.connection.socket);
  }

  dispose(): void {
    this.#parts.deadlines.forget(this);
  }
}
