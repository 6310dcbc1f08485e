import { randomUUID } from 'node:crypto';
import type { Timed } from '../deadlines.ts';
import { Attempts, type ClusterTable, type DeliveredConnection, type EndpointAttempt, type ResponseFlag } from '../engine/index.ts';
import type { EndpointState } from '../state/index.ts';
import { clientCertHeaderValue } from './client-cert.ts';
import type { ForwardParts } from './contract.ts';
import type { Downstream } from './downstream.ts';
import { headerOf, localOriginHeader, requestHeaders } from './headers.ts';
import { isIdempotent } from './idempotent.ts';
import { badRequestReply, deniedReply, failureReply, idleReply, type LocalReply, noClusterReply, noEndpointReply } from './local-reply.ts';
import { relayBody } from './relay-body.ts';
import { ReplayBody } from './replay-body.ts';
import { tunnel } from './tunnel.ts';
import type { SendFailure, SendOutcome, UpstreamCall, UpstreamRequest } from './upstream.ts';

/** One request: checked, sent to one endpoint after another as far as its method and body allow, and answered once. */
export class Exchange implements Timed {
  readonly #parts: ForwardParts;
  readonly #connection: DeliveredConnection;
  readonly #downstream: Downstream;
  readonly #body: ReplayBody;
  readonly #requestId: string;
  readonly #startedAt: number;
  readonly #began: number;
  readonly #flags = new Set<ResponseFlag>();
  deadline = Number.POSITIVE_INFINITY;
  #upstream: EndpointState | undefined;
  #call: UpstreamCall | undefined;
  #attempts = 0;
  #status = 0;
  #detail = '';
  #bytesSent = 0;
  /** No outcome of an attempt matters any more. */
  #over = false;
  #reported = false;

  constructor(parts: ForwardParts, connection: DeliveredConnection, downstream: Downstream) {
    this.#parts = parts;
    this.#connection = connection;
    this.#downstream = downstream;
    this.#body = new ReplayBody(downstream.body, parts.limits.maxReplayBytes);
    this.#requestId = headerOf(downstream.request.headers, 'x-request-id') ?? randomUUID();
    this.#startedAt = parts.clock.now();
    this.#began = parts.clock.monotonic();
    downstream.onEnd = () => this.#end();
    parts.deadlines.watch(this);
    this.#touch();
  }

  /** Never rejects. */
  async run(): Promise<void> {
    const { request, refused, upgrade } = this.#downstream;
    if (refused !== undefined) return this.#answer(badRequestReply(refused.status, refused.detail), true);
    const denied = this.#parts.denied(this.#connection);
    if (denied !== undefined) return this.#answer(deniedReply(denied), false);
    const tables = this.#parts.tables();
    const cluster = tables.clusters.get(this.#connection.clusterName);
    if (cluster === undefined) return this.#answer(noClusterReply, false);
    const { peer, source } = this.#connection;
    const headers = requestHeaders(request.headers, {
      requestId: this.#requestId,
      sourceAddress: source.address,
      clientCert: peer === undefined ? undefined : clientCertHeaderValue(tables.spiffeId, peer),
    });
    await this.#try(cluster, {
      method: request.method,
      path: request.path,
      authority: request.authority === '' ? cluster.host : request.authority,
      scheme: request.scheme,
      headers,
      streamed: request.streamed,
      body: this.#body,
      upgrade,
      onBytes: () => this.#touch(),
      onContinue: () => this.#downstream.sendContinue(),
    });
  }

  /** What should have been the rest of the body cannot be read. */
  bodyIsBroken(): void {
    // All was said, and that this connection ends.
    if (this.#downstream.ended) return;
    if (this.#downstream.answered) {
      this.#flags.add('DPE');
      this.#break();
      return;
    }
    this.#giveUp();
    this.#answer(badRequestReply(400, 'bad_request_body'), true);
  }

  expire(): void {
    this.deadline = Number.POSITIVE_INFINITY;
    if (!this.#downstream.answered) {
      this.#giveUp();
      this.#answer(idleReply, true);
      return;
    }
    this.#flags.add('SI');
    this.#break();
  }

  async #try(cluster: ClusterTable, request: UpstreamRequest): Promise<void> {
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
      if (this.#over) return;
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

  /** A connection that had been idle may have been closed under us: its endpoint is asked once more. */
  async #send(cluster: ClusterTable, endpoint: EndpointState, request: UpstreamRequest, fresh: boolean): Promise<SendOutcome> {
    const call = this.#parts.upstream.send({ cluster, endpoint, fresh, repeatable: isIdempotent(request.method) }, request);
    this.#call = call;
    const outcome = await call.outcome;
    if (this.#over || outcome.kind !== 'failed' || !outcome.stale || !this.#mayRetry(outcome)) return outcome;
    this.#body.detach();
    return this.#send(cluster, endpoint, request, true);
  }

  #mayRetry(outcome: SendFailure): boolean {
    const { upgrade, request } = this.#downstream;
    if (!this.#body.replayable || upgrade) return !outcome.delivered && this.#body.bytes === 0;
    return !outcome.delivered || isIdempotent(request.method);
  }

  #relay(cluster: ClusterTable, endpoint: EndpointState, outcome: Exclude<SendOutcome, SendFailure>): void {
    this.#attempted({ clusterName: cluster.name, endpoint, result: 'ok' });
    this.#status = outcome.head.status;
    this.#detail = 'via_upstream';
    const onBytes = (length: number) => {
      this.#bytesSent += length;
      this.#touch();
    };
    if (outcome.kind === 'response') {
      const sink = this.#downstream.respond(outcome.head, this.#parts.draining());
      relayBody(outcome.body, sink, { onBytes, onBroken: () => this.#broken() });
      return;
    }
    if (!this.#downstream.upgrade) {
      this.#break();
      return;
    }
    void tunnel(this.#downstream.accept(outcome.head), outcome.end, { onBytes, touch: () => this.#touch() }).then((flag) => {
      if (flag !== undefined) this.#flags.add(flag);
      this.#end();
    });
  }

  #broken(): void {
    if (this.#reported) return;
    this.#flags.add('UC');
    this.#break();
  }

  #attempted(attempt: EndpointAttempt): void {
    this.#parts.onAttempt(attempt);
  }

  /** `close`: what comes after on this connection can't be trusted to be a request. */
  #answer(reply: LocalReply, close: boolean): void {
    if (this.#downstream.answered || this.#downstream.gone) return;
    for (const flag of reply.flags) this.#flags.add(flag);
    this.#status = reply.status;
    this.#detail = reply.detail;
    const body = Buffer.from(reply.body);
    const headers = ['content-type', 'text/plain', 'content-length', String(body.length)];
    // Tells the mesh's caller that no application has seen the request (UF, UH, NC), or maybe has (UC).
    if (this.#connection.end !== undefined && reply.status === 503) headers.push(localOriginHeader, reply.flags[0] ?? '');
    this.#body.discard();
    const sink = this.#downstream.respond({ status: reply.status, headers }, close || this.#parts.draining());
    if (this.#downstream.request.method !== 'HEAD') sink.write(body);
    sink.end([]);
    this.#bytesSent = body.length;
  }

  #touch(): void {
    const { idleTimeoutMs } = this.#parts.limits;
    this.deadline = idleTimeoutMs > 0 ? this.#parts.clock.monotonic() + idleTimeoutMs : Number.POSITIVE_INFINITY;
  }

  /** A message that was begun cannot be taken back: only a break says that it is not whole. */
  #break(): void {
    this.#downstream.abort();
    this.#end();
  }

  /** An upload that nobody will finish must not hold its connection. */
  #giveUp(): void {
    this.#over = true;
    this.#call?.cancel();
  }

  #end(): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#parts.deadlines.forget(this);
    this.#giveUp();
    const { protocol, request, upgrade, finished } = this.#downstream;
    if (!finished && this.#flags.size === 0 && !upgrade) this.#flags.add('DC');
    this.#parts.onRequest({
      connection: this.#connection,
      requestId: this.#requestId,
      method: request.method,
      path: request.path,
      authority: request.authority,
      protocol,
      userAgent: headerOf(request.headers, 'user-agent') ?? '',
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
