import { after } from '../../core/timer.ts';
import type { Timed } from '../deadlines.ts';
import type { ClusterTable, DeliveredConnection } from '../engine/index.ts';
import { hits } from '../routing/index.ts';
import type { ForwardParts } from './contract.ts';
import type { Downstream } from './downstream.ts';
import { hashOf, type RequestHash } from './hash-key.ts';
import { isBodyless, localOriginHeader } from './headers.ts';
import {
  badRequestReply,
  faultReply,
  idleReply,
  internalReply,
  type LocalReply,
  noClusterReply,
  noRouteReply,
  preflightReply,
  reasonOf,
  replyMessage,
  timeoutReply,
} from './local-reply.ts';
import { sendMirrors } from './mirrors.ts';
import { believed } from './outside.ts';
import { relayBody } from './relay-body.ts';
import { ReplayBody } from './replay-body.ts';
import { RequestRecord } from './request-record.ts';
import { type RouteChoice, type Routed, type RoutedTo, routedResponse, routeRequest } from './route-request.ts';
import { Tries, type TriesEnd } from './tries.ts';
import { tunnel } from './tunnel.ts';
import type { UpstreamRequest } from './upstream.ts';

/** One request: checked, led where its rule says, sent until somebody answers or nobody will, and answered once. */
export class Exchange extends RequestRecord implements Timed, RouteChoice {
  readonly #downstream: Downstream;
  deadline = Number.POSITIVE_INFINITY;
  slot: number | undefined;
  #routed: Routed | undefined;
  #clusterName = '';
  #tries: Tries | undefined;
  #setCookie: string | undefined;
  /** By which its destination was chosen. */
  #session: RequestHash | undefined;
  /** Ends a delay, or the route's timeout. */
  #stopTimer: (() => void) | undefined;

  constructor(parts: ForwardParts, connection: DeliveredConnection, downstream: Downstream) {
    const body = new ReplayBody(downstream.body, parts.limits.maxReplayBytes);
    super(parts, connection, believed(downstream.request, connection.outside), body);
    this.#downstream = downstream;
    downstream.onEnd = () => this.#end();
    parts.deadlines.watch(this);
    this.#touch();
  }

  /** Never rejects: whatever is thrown on the way ends this one request. */
  async run(): Promise<void> {
    try {
      await this.#route();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #route(): Promise<void> {
    const { request } = this;
    const { refused } = this.#downstream;
    const { clusterName, outside } = this.connection;
    const routingName = this.parts.routingName(this.connection);
    if (refused !== undefined) return this.#answer(badRequestReply(refused.status, refused.detail), true);
    const { refused: reply, path, headers } = this.judge();
    if (reply !== undefined) return this.#answer(reply, false);
    const routing = this.parts.tables().routings.get(routingName ?? '');
    if (routing === undefined && outside !== undefined) return this.#answer(noRouteReply, false);
    if (routing === undefined) return this.#forward(clusterName, path, request.authority, headers, undefined);
    const routed = routeRequest(this.parts.router.of(routing), { ...request, path, headers }, this, this.#downstream.upgrade);
    this.#routed = routed;
    if (routed.cors?.kind === 'preflight') return this.#answer(preflightReply(routed.cors.headers), false);
    if (routed.fault !== undefined && (await this.#injected(routed.fault))) return;
    const { then } = routed;
    if ('reply' in then) return this.#answer(then.reply, false);
    this.#session = then.session;
    await this.#forward(then.clusterName, then.path, then.authority, then.headers, then.action);
  }

  random(): number {
    return this.parts.random();
  }

  session(clusterName: string, request: Parameters<RouteChoice['session']>[1]): RequestHash {
    return hashOf(this.parts.tables().clusters.get(clusterName) ?? {}, request, this.connection.source);
  }

  /** What should have been the rest of the body cannot be read. */
  bodyIsBroken(): void {
    // All was said, and that this connection ends.
    if (this.#downstream.ended) return;
    if (this.#downstream.answered) {
      this.flags.add('DPE');
      this.#break();
      return;
    }
    this.#answer(badRequestReply(400, 'bad_request_body'), true);
  }

  expire(): void {
    this.#runOut(idleReply, true);
  }

  /** True: that was the end of it. */
  async #injected({ delay, abort }: NonNullable<Routed['fault']>): Promise<boolean> {
    if (delay !== undefined && hits(delay.percent, this.parts.random())) {
      this.flags.add('DI');
      await new Promise<void>((resolve) => {
        const stop = after(this.parts.clock, delay.ms, resolve);
        this.#stopTimer = () => {
          stop();
          resolve();
        };
      });
      if (this.told) return true;
    }
    if (abort === undefined || !hits(abort.percent, this.parts.random())) return false;
    this.#answer(faultReply(abort.status, abort.grpcStatus), false);
    return true;
  }

  async #forward(
    clusterName: string,
    path: string,
    authority: string,
    headers: readonly string[],
    action: RoutedTo['action'] | undefined,
  ): Promise<void> {
    this.#clusterName = clusterName;
    const request = this.request;
    const { upgrade } = this.#downstream;
    const cluster = this.parts.tables().clusters.get(clusterName);
    if (cluster === undefined) return this.#answer(noClusterReply, false);
    const send: UpstreamRequest = {
      method: request.method,
      path,
      authority: authority === '' ? cluster.host : authority,
      scheme: request.scheme,
      headers,
      streamed: request.streamed,
      body: this.body,
      upgrade,
      onBytes: () => this.#touch(),
      onContinue: () => this.#downstream.sendContinue(),
    };
    const ended = await this.#try(cluster, send, action);
    if (ended === undefined || this.told) return;
    if (ended.kind === 'reply') this.#answer(ended.reply, false);
    else this.#relay(ended);
  }

  #try(cluster: ClusterTable, send: UpstreamRequest, action: RoutedTo['action'] | undefined): Promise<TriesEnd | undefined> {
    const { hash, setCookie } = hashOf(cluster, send, this.connection.source, this.#session);
    this.#setCookie = setCookie;
    const tries = new Tries(this.parts, {
      cluster,
      send,
      body: this.body,
      by: this.connection,
      retries: action?.retries,
      hash,
      first: this.connection.end === undefined,
    });
    this.#tries = tries;
    const timeoutMs = action?.timeoutMs ?? 0;
    if (timeoutMs > 0) {
      const begin = () => {
        if (!this.told) this.#stopTimer = after(this.parts.clock, timeoutMs, () => this.#runOut(timeoutReply, false));
      };
      // A body is read once there is somebody to send it to; the time that passes until then counts where there is none.
      if (isBodyless(send)) begin();
      else this.body.whenEnded(begin);
    }
    if (action !== undefined && action.mirrors.length > 0) sendMirrors(this.parts, action.mirrors, send, this.body, timeoutMs);
    return tries.run();
  }

  #relay({ outcome, flags }: Extract<TriesEnd, { kind: 'answer' }>): void {
    for (const flag of flags) this.flags.add(flag);
    this.status = outcome.head.status;
    this.detail = 'via_upstream';
    this.noteGrpc(outcome.head.headers);
    const head =
      this.#routed === undefined && this.#setCookie === undefined
        ? outcome.head
        : { ...outcome.head, headers: this.#routedHeaders(outcome.head.headers) };
    const onBytes = (length: number) => {
      this.bytesSent += length;
      this.#touch();
    };
    if (outcome.kind === 'response') {
      const sink = this.#downstream.respond(head, this.parts.draining());
      relayBody(outcome.body, sink, { onBytes, onTrailers: (trailers) => this.noteGrpc(trailers), onBroken: () => this.#broken() });
      return;
    }
    this.#stopTimer?.();
    if (!this.#downstream.upgrade) {
      this.#break();
      return;
    }
    void tunnel(this.#downstream.accept(head), outcome.end, { onBytes, touch: () => this.#touch() }).then((flag) => {
      if (flag !== undefined) this.flags.add(flag);
      this.#end();
    });
  }

  #routedHeaders(headers: readonly string[]): readonly string[] {
    const changed = this.#routed === undefined ? headers : routedResponse(this.#routed, headers);
    return this.#setCookie === undefined ? changed : [...changed, 'set-cookie', this.#setCookie];
  }

  #broken(): void {
    if (this.told) return;
    this.flags.add('UC');
    this.#break();
  }

  #failed(error: unknown): void {
    if (this.told) return;
    const { answered } = this.#downstream;
    this.flags.add('LR');
    try {
      if (!answered) this.#reply(internalReply(reasonOf(error)), true, undefined);
    } catch {
      this.#break();
    }
    if (answered) this.#break();
  }

  /** `close`: what comes after on this connection can't be trusted to be a request. */
  #answer(reply: LocalReply, close: boolean): void {
    try {
      this.#reply(reply, close, this.#routed);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** `routed`: whose rule changes the headers. */
  #reply(reply: LocalReply, close: boolean, routed: Routed | undefined): void {
    if (this.#downstream.answered || this.#downstream.gone) return;
    this.#giveUp();
    for (const flag of reply.flags) this.flags.add(flag);
    const change = routed === undefined ? undefined : (own: readonly string[]) => routedResponse(routed, own);
    const { status, headers, body } = replyMessage(reply, this.request, change);
    this.status = status;
    this.detail = reply.detail;
    this.noteGrpc(headers);
    // Tells the mesh's caller that no application has seen the request (UF, UH, NC), or maybe has (UC).
    if (this.connection.end !== undefined && reply.status === 503) headers.push(localOriginHeader, reply.flags[0] ?? '');
    this.body.discard();
    const bare = body.length === 0 ? { bare: true as const } : {};
    const sink = this.#downstream.respond({ status, ...bare, headers }, close || this.parts.draining());
    if (body.length > 0 && this.request.method !== 'HEAD') sink.write(body);
    sink.end([]);
    this.bytesSent = body.length;
  }

  #touch(): void {
    const { idleTimeoutMs } = this.parts.limits;
    this.deadline = idleTimeoutMs > 0 ? this.parts.clock.monotonic() + idleTimeoutMs : Number.POSITIVE_INFINITY;
  }

  #runOut(reply: LocalReply, close: boolean): void {
    this.deadline = Number.POSITIVE_INFINITY;
    if (!this.#downstream.answered) {
      this.#answer(reply, close);
      return;
    }
    for (const flag of reply.flags) this.flags.add(flag);
    this.#break();
  }

  /** A message that was begun cannot be taken back: only a break says that it is not whole. */
  #break(): void {
    this.#downstream.abort();
    this.#end();
  }

  /** An upload that nobody will finish must not hold its connection. */
  #giveUp(): void {
    this.#stopTimer?.();
    this.#tries?.end();
  }

  #end(): void {
    if (!this.isFirstEnd()) return;
    this.parts.deadlines.forget(this);
    this.#giveUp();
    const routed = this.#routed;
    const clusterName = routed === undefined ? this.connection.clusterName : this.#clusterName;
    this.tell(this.#downstream, routed?.name ?? '', clusterName, this.#tries);
  }
}
