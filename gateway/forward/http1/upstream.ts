import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { HttpLimits } from '../../context.ts';
import type { ClusterTable } from '../../engine/index.ts';
import type { EndpointState } from '../../state/index.ts';
import { headerOf, localOriginHeader, lowerNames, type RawHeaders, responseHeaders } from '../headers.ts';
import { type RequestFailure, reasonOf } from '../local-reply.ts';
import type { SendFailure, SendOutcome, Target, Upstream, UpstreamCall, UpstreamRequest } from '../upstream.ts';
import type { UpstreamConnection } from '../upstream-connection.ts';
import type { UpstreamPool } from '../upstream-pool.ts';
import { Http1Body } from './incoming-body.ts';
import { Http1Sink } from './outgoing-body.ts';

/** Local-origin answers with these flags say that no application was asked. */
const undelivered: ReadonlySet<string> = new Set(['UF', 'UH', 'NC']);
/** A connection that was idle for longer may be closing just now. */
const surelyOpenMs = 1_000;

/** HTTP/1.1 to endpoints, one request at a time on each connection of the pool. */
export class Http1Upstream implements Upstream {
  readonly #pool: UpstreamPool;
  readonly #limits: Pick<HttpLimits, 'idleConnectionMs'>;

  constructor(pool: UpstreamPool, limits: Pick<HttpLimits, 'idleConnectionMs'>) {
    this.#pool = pool;
    this.#limits = limits;
  }

  send(target: Target, request: UpstreamRequest): UpstreamCall {
    const maxIdleMs = target.fresh ? 0 : target.repeatable ? this.#limits.idleConnectionMs : surelyOpenMs;
    const call = new Http1Call(request);
    void call.run((signal) => this.#pool.acquire(target.cluster, target.endpoint, maxIdleMs, signal));
    return call;
  }

  isReady(cluster: ClusterTable, endpoint: EndpointState): boolean {
    return this.#pool.isReady(cluster, endpoint);
  }

  close(): void {
    this.#pool.close();
  }
}

class Http1Call implements UpstreamCall {
  readonly outcome: Promise<SendOutcome>;
  readonly #send: UpstreamRequest;
  #dialling: AbortController | undefined;
  #settle: (outcome: SendOutcome) => void = () => {};
  #settled = false;
  #connection: UpstreamConnection | undefined;
  #reused = false;
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;

  constructor(send: UpstreamRequest) {
    this.#send = send;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  async run(acquire: (signal: () => AbortSignal) => ReturnType<UpstreamPool['acquire']>): Promise<void> {
    // Most requests dial nothing.
    const acquired = await acquire(() => {
      this.#dialling ??= new AbortController();
      return this.#dialling.signal;
    });
    if (!acquired.ok) return this.#fail(acquired.failure, acquired.reason, false);
    if (this.#settled) return acquired.connection.destroy();
    this.#connection = acquired.connection;
    this.#reused = acquired.reused;
    try {
      this.#begin(acquired.connection);
    } catch (error) {
      this.#fail('unsendable', reasonOf(error), false);
    }
  }

  cancel(): void {
    if (!this.#settled) {
      this.#dialling?.abort();
      this.#fail('aborted', 'the caller went away', true);
      return;
    }
    if (this.#request?.writableFinished === true && this.#response?.complete === true) return;
    this.#connection?.destroy();
  }

  #begin(connection: UpstreamConnection): void {
    const { method, path } = this.#send;
    const request = httpRequest({ agent: connection.agent, method, path, headers: wireHeaders(this.#send), setHost: false });
    this.#request = request;
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith('HPE_') === true) this.#fail('protocol', error.code, true);
      else this.#fail('early-close', error.code ?? error.message, true);
    });
    request.on('close', () => this.#fail('early-close', 'closed before an answer', true));
    // It was dialled paused, so that nothing was lost before Node's parser listens; now it does.
    request.on('socket', (socket) => socket.resume());
    request.on('continue', this.#send.onContinue);
    request.on('upgrade', (response, socket, head) => this.#upgraded(response, socket, head));
    request.on('response', (response) => this.#answered(connection, response));
    this.#send.body.sendTo(new Http1Sink(request), this.#send.onBytes);
  }

  #answered(connection: UpstreamConnection, response: IncomingMessage): void {
    this.#response = response;
    const status = response.statusCode ?? 0;
    const local =
      status === 503 && connection.endpoint.tls !== undefined ? headerOf(lowerNames(response.rawHeaders), localOriginHeader) : undefined;
    if (local === undefined) {
      this.#done({ kind: 'response', head: headOf(response), body: new Http1Body(response) });
      return;
    }
    response.resume();
    if (undelivered.has(local)) this.#fail('local-origin', `its mesh end could not reach it: ${local}`, false);
    else this.#fail('early-close', `its mesh end saw it break off: ${local.slice(0, 8)}`, true);
  }

  #upgraded(response: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#response = response;
    this.#done({ kind: 'upgraded', head: headOf(response), end: { socket, head } });
  }

  #fail(failure: RequestFailure, reason: string, delivered: boolean): void {
    if (this.#settled) return;
    const stale = this.#reused && failure === 'early-close' && this.#response === undefined;
    const outcome: SendFailure = { kind: 'failed', failure, reason, delivered, stale };
    this.#done(outcome);
    if (failure === 'aborted' || failure === 'unsendable') this.#connection?.destroy();
    else this.#connection?.fail();
  }

  #done(outcome: SendOutcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#settle(outcome);
  }
}

function headOf(response: IncomingMessage) {
  const { statusCode = 502, statusMessage, rawHeaders } = response;
  return { status: statusCode, ...(statusMessage ? { reason: statusMessage } : {}), headers: responseHeaders(rawHeaders) };
}

/** Methods whose requests Node would send chunked when they have no length; without a body they have one: 0. */
const needLength: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

function wireHeaders(request: UpstreamRequest): string[] {
  const { method, authority, headers, streamed, upgrade } = request;
  const wire: string[] = ['host', authority];
  for (const each of headers) wire.push(each);
  if (upgrade) wire.push('connection', 'upgrade', 'upgrade', 'websocket');
  if (streamed) wire.push('transfer-encoding', 'chunked');
  else if (needLength.has(method) && !hasLength(headers)) wire.push('content-length', '0');
  return wire;
}

function hasLength(headers: RawHeaders): boolean {
  return headerOf(headers, 'content-length') !== undefined;
}
