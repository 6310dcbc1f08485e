import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { abortStream, type DeliveredConnection } from '../../engine/index.ts';
import type { Downstream } from '../downstream.ts';
import { lowerNames } from '../headers.ts';
import type { BodySink, IncomingBody, RequestHead, ResponseHead } from '../message.ts';
import type { UpgradeEnd } from '../tunnel.ts';
import { Http1Body } from './incoming-body.ts';
import { Http1Sink } from './outgoing-body.ts';
import { readRequest } from './read-request.ts';

/** One HTTP/1.x request and its answer, as Node's server gives them. */
export class Http1Downstream implements Downstream {
  readonly protocol: Downstream['protocol'];
  readonly request: RequestHead;
  readonly refused: Downstream['refused'];
  readonly body: IncomingBody;
  onEnd: () => void = () => {};
  readonly #connection: DeliveredConnection;
  readonly #response: ServerResponse;
  readonly #upgrade: UpgradeEnd | undefined;

  /** `upgrade`: it asks for a WebSocket, and Node has let go of its socket. */
  constructor(
    connection: DeliveredConnection,
    request: IncomingMessage,
    response: ServerResponse,
    maxHeaders: number,
    upgrade?: UpgradeEnd,
  ) {
    this.#connection = connection;
    this.#response = response;
    this.#upgrade = upgrade;
    const { method = '', url = '', httpVersion, rawHeaders } = request;
    const scheme = connection.peer === undefined ? 'http' : 'https';
    const read = readRequest({ method, url, httpVersion, rawHeaders }, scheme, maxHeaders);
    this.protocol = httpVersion === '1.0' ? 'HTTP/1.0' : 'HTTP/1.1';
    this.request = read.ok
      ? read.head
      : { method, path: url, authority: request.headers.host ?? '', scheme, headers: lowerNames(rawHeaders), streamed: false };
    this.refused = read.ok ? undefined : read;
    this.body = new Http1Body(request);
    response.sendDate = false;
    response.on('error', () => {});
    request.on('error', () => {});
    response.once('finish', () => this.onEnd());
    response.once('close', () => this.onEnd());
  }

  get upgrade(): boolean {
    return this.#upgrade !== undefined;
  }

  get answered(): boolean {
    return this.#response.headersSent;
  }

  get ended(): boolean {
    return this.#response.writableEnded;
  }

  get finished(): boolean {
    return this.#response.writableFinished;
  }

  get gone(): boolean {
    return this.#response.destroyed;
  }

  sendContinue(): void {
    if (!this.answered && this.#upgrade === undefined) this.#response.writeContinue();
  }

  respond(head: ResponseHead, last: boolean): BodySink {
    const close = last || this.#upgrade !== undefined;
    const headers = close ? [...head.headers, 'connection', 'close'] : [...head.headers];
    this.#response.writeHead(head.status, head.reason ?? STATUS_CODES[head.status] ?? '', headers);
    return new Http1Sink(this.#response);
  }

  accept({ status, headers }: ResponseHead): UpgradeEnd {
    const end = this.#upgrade;
    if (end === undefined) throw new Error('no upgrade was asked for');
    const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`];
    for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
    lines.push('connection: upgrade', 'upgrade: websocket');
    end.socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
    return end;
  }

  abort(): void {
    abortStream(this.#connection.socket);
  }
}
