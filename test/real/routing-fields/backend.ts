import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  constants,
  createServer as createHttp2Server,
  createSecureServer as createHttps2Server,
  Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import type { Behaviour } from './case.ts';
import type { ServerCertificate } from './certificates.ts';
import { isServing } from './health-service.ts';

export type Speaks = 'http' | 'http2' | 'bytes';
type Asked = IncomingMessage | Http2ServerRequest;
type Answering = ServerResponse | Http2ServerResponse;

/** One instance of a service: says who it is and what it saw, and behaves as it is told to. */
export class Backend {
  readonly name: string;
  readonly sockets = new Set<Socket>();
  #behaviour: Behaviour = {};
  #came = 0;
  #carried = new Set<Carrier>();
  readonly #carriers = new WeakMap<object, Carrier>();
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

  /** Ports of the callers' ends of those that are still open. */
  get callers(): readonly number[] {
    const open = new Set([...this.sockets].map(({ remotePort }) => remotePort));
    return [...this.#carried].map(({ port }) => port).filter((port) => open.has(port));
  }

  get port(): number {
    return (this.#server?.address() as AddressInfo | null)?.port ?? 0;
  }

  /** Over TLS where a certificate is given, then asking for one of the caller's. Returns the port. */
  async listen(speaks: Speaks, certificate?: ServerCertificate): Promise<number> {
    const server = this.#serve(speaks, certificate);
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
    });
    server.on('tlsClientError', () => {});
    server.on('sessionError', () => {});
    // It has no socket any more when it has ended.
    server.on('session', (session: ServerHttp2Session) => this.#carriers.set(session, carrierOf(session.socket)));
    server.on('upgrade', (request: IncomingMessage, socket: Duplex) => this.#upgrade(request, socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#server = server;
    return this.port;
  }

  close(): void {
    this.#server?.close();
    for (const socket of this.sockets) socket.destroy();
  }

  #serve(speaks: Speaks, certificate: ServerCertificate | undefined): Server {
    const answer = (request: Asked, response: Answering) => this.#answer(request, response);
    const greet = (socket: Socket) => this.#greet(socket);
    // Beyond the time that any case looks for connections that are kept.
    const kept = { keepAliveTimeout: 60_000 };
    if (certificate === undefined) {
      if (speaks === 'http') return createServer(kept, answer);
      return speaks === 'http2' ? createHttp2Server(answer) : createTcpServer(greet);
    }
    const tls = { ...certificate, requestCert: true, rejectUnauthorized: false };
    if (speaks === 'http') return createHttpsServer({ ...tls, ...kept }, answer);
    return speaks === 'http2' ? createHttps2Server(tls, answer) : createTlsServer(tls, greet);
  }

  #answer(request: Asked, response: Answering): void {
    const { url = '', method = '', headers, httpVersion } = request;
    if (url === '/grpc.health.v1.Health/Check') {
      isServing(request as Http2ServerRequest, response as Http2ServerResponse, this.#behaviour.unhealthyFor ?? []);
      return;
    }
    request.resume();
    if (url === '/healthz') {
      response.writeHead(this.#behaviour.health ?? 200).end();
      return;
    }
    const { tls } = this.#come(request);
    const { first = Number.POSITIVE_INFINITY } = this.#behaviour;
    const behaviour = this.#came <= first ? this.#behaviour : {};
    const finish = () => {
      if (behaviour.reset) breakOff(request);
      else respond(request, response, behaviour, this.name, { by: this.name, method, path: url, headers, httpVersion, tls });
    };
    const { delayMs = 0 } = behaviour;
    if (delayMs === 0) finish();
    else setTimeout(finish, delayMs);
  }

  /** A WebSocket whose one message is its name: the bytes of it are nobody's business on the way. */
  #upgrade(request: IncomingMessage, socket: Duplex): void {
    this.#come(request);
    const { status } = this.#behaviour;
    const refused = status !== undefined && status !== 101;
    socket.on('error', () => {});
    if (refused) socket.end(`HTTP/1.1 ${status} No\r\nx-by: ${this.name}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
    else socket.write(`HTTP/1.1 101 Switching Protocols\r\nx-by: ${this.name}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`);
    const hangsUp = this.#behaviour.hangsUp === true;
    socket.on('data', (said: Buffer) => {
      socket.write(`${this.name} heard ${said.toString()}`);
      if (hangsUp) socket.end();
    });
    socket.on('end', () => socket.end());
  }

  #come(request: Asked): Carrier {
    const session = request instanceof Http2ServerRequest ? request.stream.session : undefined;
    const carrier = this.#carriers.get(session ?? request.socket) ?? carrierOf(request.socket);
    this.#carriers.set(session ?? request.socket, carrier);
    this.#note(carrier);
    return carrier;
  }

  #note(carrier: Carrier): void {
    this.#came += 1;
    this.#carried.add(carrier);
  }

  /** Waits for the caller's first word: not every proxy opens a connection before. */
  #greet(socket: Socket): void {
    socket.on('error', () => {});
    socket.once('data', () => {
      const carrier = carrierOf(socket);
      this.#note(carrier);
      const client = carrier.tls?.client;
      const text = client ? `${this.name} to ${client}` : this.name;
      if (this.#behaviour.hold) socket.write(text);
      else socket.end(text);
    });
  }
}

/** HTTP/1.1 has nothing smaller than its connection to break off. */
function breakOff(request: Asked): void {
  if (request instanceof Http2ServerRequest) request.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else request.socket.destroy();
}

function respond(request: Asked, response: Answering, behaviour: Behaviour, name: string, seen: object): void {
  const { status = 200, headers = {}, trailers, refuse, grpcStatus = 0, trailersOnly } = behaviour;
  if (refuse && request instanceof Http2ServerRequest) {
    request.stream.close(constants.NGHTTP2_REFUSED_STREAM);
    return;
  }
  const grpc = String(request.headers['content-type'] ?? '').startsWith('application/grpc');
  const own: Record<string, string> = { ...headers, 'x-by': name };
  if (grpc) own['content-type'] = 'application/grpc';
  if (grpc && trailersOnly) own['grpc-status'] = String(grpcStatus);
  const last = grpc && !trailersOnly ? { ...trailers, 'grpc-status': String(grpcStatus) } : trailers;
  const announced = last !== undefined && request.httpVersion === '1.1' ? { trailer: Object.keys(last).join() } : {};
  const head = response as ServerResponse;
  head.writeHead(status, { ...own, ...announced });
  if (grpc && trailersOnly) {
    head.end();
    return;
  }
  head.write(JSON.stringify(seen));
  if (last !== undefined) head.addTrailers(last);
  head.end();
}

/** One connection that requests came by. */
interface Carrier {
  /** Of the caller's end. */
  readonly port: number;
  readonly tls: { readonly sni: string; readonly alpn: string; readonly client: string } | undefined;
}

function carrierOf(socket: Socket): Carrier {
  const port = socket.remotePort ?? 0;
  if (!(socket instanceof TLSSocket)) return { port, tls: undefined };
  const { servername } = socket as TLSSocket & { servername?: string | false };
  const client = socket.getPeerCertificate().subjectaltname ?? '';
  return { port, tls: { sni: servername || '', alpn: socket.alpnProtocol || '', client } };
}
