import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2';
import type { ClusterTable } from '../../engine/index.ts';
import type { EndpointState } from '../../state/index.ts';
import { headerOf, isBodyless, localOriginHeader, type RawHeaders, responseHeaders } from '../headers.ts';
import { type RequestFailure, reasonOf } from '../local-reply.ts';
import type { ResponseHead } from '../message.ts';
import type { SendOutcome, Target, Upstream, UpstreamCall, UpstreamRequest } from '../upstream.ts';
import type { Http2Body } from './incoming-body.ts';
import { Http2Sink } from './outgoing-body.ts';
import type { AcquiredSession, SessionPool } from './session-pool.ts';
import type { UpstreamSession } from './upstream-session.ts';
import { addWireHeaders, emptyHeaders } from './wire-headers.ts';

const {
  HTTP2_HEADER_AUTHORITY,
  HTTP2_HEADER_METHOD,
  HTTP2_HEADER_PATH,
  HTTP2_HEADER_SCHEME,
  HTTP2_HEADER_STATUS,
  NGHTTP2_CANCEL,
  NGHTTP2_FLAG_END_STREAM,
  NGHTTP2_NO_ERROR,
  NGHTTP2_REFUSED_STREAM,
} = constants;

/** Local-origin answers with these flags say that no application was asked. */
const undelivered: ReadonlySet<string> = new Set(['UF', 'UH', 'NC']);

/** HTTP/2 to endpoints: each request is a stream of one of the pool's connections. */
export class Http2Upstream implements Upstream {
  readonly #pool: SessionPool;

  constructor(pool: SessionPool) {
    this.#pool = pool;
  }

  send({ cluster, endpoint, fresh }: Target, request: UpstreamRequest): UpstreamCall {
    const call = new Http2Call(this.#pool, request);
    call.begin(this.#pool.acquire(cluster, endpoint, fresh));
    return call;
  }

  isReady(cluster: ClusterTable, endpoint: EndpointState): boolean {
    return this.#pool.isReady(cluster, endpoint);
  }

  close(): void {
    this.#pool.close();
  }
}

class Http2Call implements UpstreamCall {
  readonly outcome: Promise<SendOutcome>;
  readonly #pool: SessionPool;
  readonly #send: UpstreamRequest;
  #settle: (outcome: SendOutcome) => void = () => {};
  #settled = false;
  #session: UpstreamSession | undefined;
  #reused = false;
  #stream: ClientHttp2Stream | undefined;

  constructor(pool: SessionPool, send: UpstreamRequest) {
    this.#pool = pool;
    this.#send = send;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  begin(acquired: AcquiredSession | Promise<AcquiredSession>): void {
    if (acquired instanceof Promise) {
      void acquired.then((now) => this.begin(now));
      return;
    }
    if (this.#settled) return;
    if (!acquired.ok) {
      this.#fail(acquired.failure, acquired.reason, false);
      return;
    }
    this.#session = acquired.session;
    this.#reused = acquired.reused;
    this.#open(acquired.session);
  }

  cancel(): void {
    const stream = this.#stream;
    if (!this.#settled) this.#fail('aborted', 'the caller went away', true);
    else if (stream === undefined || stream.destroyed || (stream.writableFinished && stream.readableEnded)) return;
    stream?.close(NGHTTP2_CANCEL);
  }

  #open(session: UpstreamSession): void {
    const { method, path, authority, scheme, headers, streamed, body } = this.#send;
    const wire = emptyHeaders();
    wire[HTTP2_HEADER_METHOD] = method;
    wire[HTTP2_HEADER_SCHEME] = scheme;
    wire[HTTP2_HEADER_AUTHORITY] = authority;
    wire[HTTP2_HEADER_PATH] = path;
    const endStream = isBodyless(this.#send);
    let incoming: Http2Body<ClientHttp2Stream>;
    try {
      incoming = session.request(addWireHeaders(wire, headers), { endStream, waitForTrailers: streamed });
    } catch (error) {
      // Of a session that has ended it is no TypeError.
      if (error instanceof TypeError) this.#fail('unsendable', reasonOf(error), false);
      else this.#fail('early-close', (error as Error).message, false);
      return;
    }
    const { stream } = incoming;
    this.#stream = stream;
    stream.on('error', () => {});
    stream.once('close', () => this.#closed(session, stream));
    stream.on('continue', this.#send.onContinue);
    stream.once('response', (_headers: IncomingHttpHeaders & IncomingHttpStatusHeader, flags: number, raw?: string[]) =>
      this.#answered(session, incoming, flags, raw ?? []),
    );
    body.sendTo(new Http2Sink(stream, streamed), this.#send.onBytes);
  }

  #answered(session: UpstreamSession, body: Http2Body<ClientHttp2Stream>, flags: number, raw: RawHeaders): void {
    const head = headOf(raw, (flags & NGHTTP2_FLAG_END_STREAM) !== 0);
    const local = session.use.endpoint.tls === undefined ? undefined : headerOf(raw, localOriginHeader);
    if (local === undefined) {
      this.#done({ kind: 'response', head, body });
      return;
    }
    if (undelivered.has(local)) this.#fail('local-origin', `its mesh end could not reach it: ${local}`, false);
    else this.#fail('early-close', `its mesh end saw it break off: ${local.slice(0, 8)}`, true);
    body.stream.resume();
  }

  /** Before an answer, or long after it. */
  #closed(session: UpstreamSession, { rstCode }: ClientHttp2Stream): void {
    if (this.#settled) return;
    const { lost } = session;
    if (rstCode === NGHTTP2_REFUSED_STREAM) this.#fail('refused-stream', 'refused', false);
    else if (lost?.protocol === true) this.#fail('protocol', lost.reason, true);
    else if (lost !== undefined || session.dead) this.#fail('early-close', lost?.reason ?? 'closed before an answer', true);
    else if (rstCode === NGHTTP2_NO_ERROR) this.#fail('early-close', 'the stream ended before an answer', true);
    else this.#fail('reset', `reset with code ${rstCode}`, true);
  }

  #fail(failure: RequestFailure, reason: string, delivered: boolean): void {
    if (this.#settled) return;
    const stale = this.#reused && (failure === 'early-close' || failure === 'refused-stream') && this.#session?.usable !== true;
    if (this.#session !== undefined && failure === 'early-close') this.#pool.failed(this.#session);
    this.#done({ kind: 'failed', failure, reason, delivered, stale });
  }

  #done(outcome: SendOutcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#settle(outcome);
  }
}

function headOf(raw: RawHeaders, bare: boolean): ResponseHead {
  const headers: string[] = [];
  let status = 0;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i] === HTTP2_HEADER_STATUS) status = Number(raw[i + 1]);
    else headers.push(raw[i] ?? '', raw[i + 1] ?? '');
  }
  return { status, headers: responseHeaders(headers), ...(bare ? { bare } : {}) };
}
