import { randomUUID } from 'node:crypto';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Timed } from '../deadlines.ts';
import {
  Attempts,
  abortStream,
  type ClusterTable,
  type DeliveredConnection,
  type EndpointAttempt,
  type ResponseFlag,
} from '../engine/index.ts';
import type { EndpointState } from '../state/index.ts';
import { checkRequest, isIdempotent } from './check-request.ts';
import { clientCertHeaderValue } from './client-cert.ts';
import type { ForwardParts } from './contract.ts';
import { headerOf, localOriginHeader, requestHeaders } from './headers.ts';
import { badRequestReply, deniedReply, failureReply, idleReply, type LocalReply, noClusterReply, noEndpointReply } from './local-reply.ts';
import { relayResponse } from './relay-response.ts';
import { ReplayBody } from './replay-body.ts';
import { type SendOutcome, type SendRequest, sendRequest } from './send-request.ts';
import { tunnel, type UpgradeEnd } from './tunnel.ts';

/** One request: checked, sent to one endpoint after another as far as its method and body allow, and answered once. */
export class Exchange implements Timed {
  readonly #parts: ForwardParts;
  readonly #connection: DeliveredConnection;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #upgrade: UpgradeEnd | undefined;
  readonly #body: ReplayBody;
  readonly #requestId: string;
  readonly #startedAt: number;
  readonly #began: number;
  readonly #gone = new AbortController();
  readonly #flags = new Set<ResponseFlag>();
  deadline = Number.POSITIVE_INFINITY;
  #upstream: EndpointState | undefined;
  #sent: ClientRequest | undefined;
  #attempts = 0;
  #status = 0;
  #detail = '';
  #bytesSent = 0;
  #reported = false;

  /** `upgrade`: the request asks for another protocol, and Node has let go of its socket. */
  constructor(
    parts: ForwardParts,
    connection: DeliveredConnection,
    request: IncomingMessage,
    response: ServerResponse,
    upgrade?: UpgradeEnd,
  ) {
    this.#parts = parts;
    this.#connection = connection;
    this.#request = request;
    this.#response = response;
    this.#upgrade = upgrade;
    this.#body = new ReplayBody(request, parts.limits.maxReplayBytes);
    this.#requestId = headerOf(request.rawHeaders, 'x-request-id') ?? randomUUID();
    this.#startedAt = parts.clock.now();
    this.#began = parts.clock.monotonic();
    response.sendDate = false;
    response.on('error', () => {});
    request.on('error', () => {});
    response.once('finish', () => this.#end());
    response.once('close', () => this.#end());
    parts.deadlines.watch(this);
    this.#touch();
  }

  /** Never rejects. */
  async run(): Promise<void> {
    const denied = this.#parts.denied(this.#connection);
    const { method = '', url = '', httpVersion, rawHeaders } = this.#request;
    const checked = checkRequest(method, url, httpVersion, rawHeaders, this.#parts.limits.maxHeaders);
    if (!checked.ok) return this.#answer(badRequestReply(checked.status, checked.detail), true);
    if (denied !== undefined) return this.#answer(deniedReply(denied), false);
    const cluster = this.#parts.tables().clusters.get(this.#connection.clusterName);
    if (cluster === undefined) return this.#answer(noClusterReply, false);
    const headers = requestHeaders(rawHeaders, {
      requestId: this.#requestId,
      sourceAddress: this.#connection.source.address,
      ...(this.#connection.peer === undefined
        ? {}
        : { clientCert: clientCertHeaderValue(this.#parts.tables().spiffeId, this.#connection.peer) }),
      ...this.#authority(checked.target.authority, cluster),
      upgrade: this.#upgrade !== undefined,
      chunked: checked.chunked,
    });
    if (needsLength(method) && !checked.chunked && headerOf(headers, 'content-length') === undefined) headers.push('content-length', '0');
    await this.#try(cluster, { method, path: checked.target.path, headers, body: this.#body, onBytes: () => this.#touch() });
  }

  /** What should have been the rest of the body cannot be read. */
  bodyIsBroken(): void {
    // All was said, and that this connection ends.
    if (this.#response.writableEnded) return;
    if (this.#response.headersSent) {
      this.#flags.add('DPE');
      this.#break();
      return;
    }
    this.#gone.abort();
    this.#answer(badRequestReply(400, 'bad_request_body'), true);
  }

  expire(): void {
    this.deadline = Number.POSITIVE_INFINITY;
    if (!this.#response.headersSent) {
      this.#gone.abort();
      this.#answer(idleReply, true);
      return;
    }
    this.#flags.add('SI');
    this.#break();
  }

  async #try(cluster: ClusterTable, request: Omit<SendRequest, 'signal' | 'onContinue'>): Promise<void> {
    const attempts = new Attempts(this.#parts.balancer, cluster, this.#parts.limits.maxAttempts);
    let reply = noEndpointReply;
    for (
      let endpoint = attempts.next(this.#parts.tables().ejected);
      endpoint !== undefined;
      endpoint = attempts.next(this.#parts.tables().ejected)
    ) {
      this.#attempts = attempts.count;
      this.#upstream = endpoint;
      const outcome = await this.#send(cluster, endpoint, request, attempts.count > 1);
      if (this.#gone.signal.aborted) return;
      if (outcome.kind !== 'failed') return this.#relay(cluster, endpoint, outcome);
      const failure = outcome.failure === 'protocol' ? 'early-close' : outcome.failure;
      this.#attempted({ clusterName: cluster.name, endpoint, result: failure });
      attempts.failed(endpoint, failure);
      reply = failureReply(outcome.failure, outcome.reason, attempts.count > 1);
      this.#body.detach();
      if (!this.#mayRetry(outcome)) break;
    }
    this.#answer(reply, false);
  }

  /** A connection that had been idle may have been closed under us: that says nothing about the endpoint, which is asked once more. */
  async #send(
    cluster: ClusterTable,
    endpoint: EndpointState,
    request: Omit<SendRequest, 'signal' | 'onContinue'>,
    fresh: boolean,
  ): Promise<SendOutcome> {
    const send = { ...request, signal: this.#gone.signal, onContinue: () => this.#passContinue() };
    const acquired = await this.#parts.pool.acquire(cluster, endpoint, fresh ? 0 : this.#maxIdleMs(), this.#gone.signal);
    if (!acquired.ok) return { kind: 'failed', failure: acquired.failure, reason: acquired.reason, delivered: false };
    const outcome = await sendRequest(acquired.connection, send);
    if (outcome.kind !== 'failed' || !acquired.reused || outcome.failure !== 'early-close' || !this.#mayRetry(outcome)) return outcome;
    this.#body.detach();
    return this.#send(cluster, endpoint, request, true);
  }

  /** What cannot be sent twice goes by a connection that its server has no reason to be closing just now. */
  #maxIdleMs(): number {
    return isIdempotent(this.#request.method ?? '') ? this.#parts.limits.idleConnectionMs : 1_000;
  }

  #mayRetry(outcome: Extract<SendOutcome, { kind: 'failed' }>): boolean {
    if (!this.#body.replayable || this.#upgrade !== undefined) return !outcome.delivered && this.#body.bytes === 0;
    return !outcome.delivered || isIdempotent(this.#request.method ?? '');
  }

  #relay(cluster: ClusterTable, endpoint: EndpointState, outcome: Exclude<SendOutcome, { kind: 'failed' }>): void {
    this.#attempted({ clusterName: cluster.name, endpoint, result: 'ok' });
    this.#status = outcome.response.statusCode ?? 0;
    this.#sent = outcome.request;
    this.#detail = 'via_upstream';
    const onBytes = (length: number) => {
      this.#bytesSent += length;
      this.#touch();
    };
    if (outcome.kind === 'upgraded') {
      if (this.#upgrade === undefined) {
        this.#break();
        return;
      }
      void tunnel(this.#upgrade, outcome, { onBytes, touch: () => this.#touch() }).then((flag) => {
        if (flag !== undefined) this.#flags.add(flag);
        this.#end();
      });
      return;
    }
    relayResponse(outcome.response, this.#response, {
      close: this.#parts.draining() || this.#upgrade !== undefined,
      onBytes,
      onBroken: () => {
        this.#flags.add('UC');
        this.#break();
      },
    });
  }

  #attempted(attempt: EndpointAttempt): void {
    this.#parts.onAttempt(attempt);
  }

  #passContinue(): void {
    if (!this.#response.headersSent && this.#upgrade === undefined) this.#response.writeContinue();
  }

  #authority(authority: string | undefined, cluster: ClusterTable): { authority?: string } {
    if (authority !== undefined) return { authority };
    return headerOf(this.#request.rawHeaders, 'host') === undefined ? { authority: cluster.host } : {};
  }

  /** `close`: what comes after on this connection can't be trusted to be a request. */
  #answer(reply: LocalReply, close: boolean): void {
    if (this.#response.headersSent || this.#response.destroyed) return;
    for (const flag of reply.flags) this.#flags.add(flag);
    this.#status = reply.status;
    this.#detail = reply.detail;
    const body = Buffer.from(reply.body);
    const headers = ['content-type', 'text/plain', 'content-length', String(body.length)];
    // Tells the mesh's caller that no application has seen the request (UF, UH, NC), or maybe has (UC).
    if (this.#connection.end !== undefined && reply.status === 503) headers.push(localOriginHeader, reply.flags[0] ?? '');
    if (close || this.#parts.draining() || this.#upgrade !== undefined) headers.push('connection', 'close');
    this.#body.discard();
    this.#response.writeHead(reply.status, headers);
    this.#response.end(this.#request.method === 'HEAD' ? undefined : body);
    this.#bytesSent = body.length;
  }

  #touch(): void {
    const { idleTimeoutMs } = this.#parts.limits;
    this.deadline = idleTimeoutMs > 0 ? this.#parts.clock.monotonic() + idleTimeoutMs : Number.POSITIVE_INFINITY;
  }

  /** A message that was begun cannot be taken back: only a break says that it is not whole. */
  #break(): void {
    abortStream(this.#connection.socket);
    this.#end();
  }

  #end(): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#parts.deadlines.forget(this);
    this.#gone.abort();
    // An upload that nobody will finish must not hold its connection.
    if (this.#sent !== undefined && this.#upgrade === undefined && !this.#sent.writableFinished) this.#sent.destroy();
    const whole = this.#response.writableFinished || this.#flags.size > 0;
    if (!whole && this.#upgrade === undefined) this.#flags.add('DC');
    const { rawHeaders, method = '', url = '', httpVersion } = this.#request;
    this.#parts.onRequest({
      connection: this.#connection,
      requestId: this.#requestId,
      method,
      path: url,
      authority: headerOf(rawHeaders, 'host') ?? '',
      protocol: `HTTP/${httpVersion}`,
      userAgent: headerOf(rawHeaders, 'user-agent') ?? '',
      status: this.#status,
      flags: [...this.#flags],
      detail: this.#detail,
      ...(this.#upstream === undefined ? {} : { upstream: this.#upstream }),
      attempts: this.#attempts,
      bytesReceived: this.#body.bytes,
      bytesSent: this.#bytesSent,
      startedAt: this.#startedAt,
      durationMs: this.#parts.clock.monotonic() - this.#began,
    });
  }
}

/** Methods whose requests Node would send chunked when they have no length; without a body they have one: 0. */
function needsLength(method: string): boolean {
  return ['POST', 'PUT', 'PATCH'].includes(method);
}
