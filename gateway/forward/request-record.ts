import { randomUUID } from 'node:crypto';
import type { DeliveredConnection, ResponseFlag } from '../engine/index.ts';
import type { ForwardParts, Judged } from './contract.ts';
import type { Downstream } from './downstream.ts';
import { headerOf, type RawHeaders } from './headers.ts';
import { hopHeaders } from './hop-headers.ts';
import { isGrpc } from './local-reply.ts';
import type { RequestHead } from './message.ts';
import type { ReplayBody } from './replay-body.ts';
import type { Tries } from './tries.ts';

/**
 * What is known of one request while it runs, and told once at its end. A class to build upon and no part of its own, as each request would
 * pay for another object.
 */
export class RequestRecord {
  protected readonly parts: ForwardParts;
  protected readonly connection: DeliveredConnection;
  protected readonly request: RequestHead;
  protected readonly body: ReplayBody;
  protected readonly requestId: string;
  protected readonly flags = new Set<ResponseFlag>();
  protected status = 0;
  protected detail = '';
  protected bytesSent = 0;
  protected judged: Judged | undefined;
  readonly #startedAt: number;
  readonly #began: number;
  #grpcStatus = '';
  #told = false;

  constructor(parts: ForwardParts, connection: DeliveredConnection, request: RequestHead, body: ReplayBody) {
    this.parts = parts;
    this.connection = connection;
    this.request = request;
    this.body = body;
    this.requestId = headerOf(request.headers, 'x-request-id') ?? randomUUID();
    this.#startedAt = parts.clock.now();
    this.#began = parts.clock.monotonic();
  }

  /** Nothing that comes later counts. */
  protected get told(): boolean {
    return this.#told;
  }

  /** False: it was before. */
  protected isFirstEnd(): boolean {
    if (this.#told) return false;
    this.#told = true;
    return true;
  }

  /** What the end of mTLS makes of it, if this is one; its headers with what this hop says. */
  protected judge(): Judged & { readonly path: string; readonly headers: RawHeaders } {
    const { request, connection, parts } = this;
    const headers = hopHeaders(request.headers, this.requestId, connection, parts.tables().spiffeId);
    this.judged = parts.judge(connection, request, headers);
    return { path: request.path, headers, ...this.judged };
  }

  /** Of headers or trailers; the last one counts. */
  protected noteGrpc(fields: readonly string[]): void {
    this.#grpcStatus = headerOf(fields, 'grpc-status') ?? this.#grpcStatus;
  }

  protected tell({ protocol, upgrade, finished }: Downstream, routeName: string, clusterName: string, tries: Tries | undefined): void {
    const { request, flags, judged } = this;
    if (!finished && flags.size === 0 && !upgrade) flags.add('DC');
    const { endpoint } = tries ?? {};
    this.parts.onRequest({
      connection: this.connection,
      requestId: this.requestId,
      method: request.method,
      path: judged?.path ?? request.path,
      authority: request.authority,
      protocol,
      userAgent: headerOf(request.headers, 'user-agent') ?? '',
      status: this.status,
      ...(isGrpc(request.headers) ? { grpcStatus: this.#grpcStatus } : {}),
      flags: [...flags],
      detail: this.detail,
      ...(judged?.ruled === undefined && judged?.audited === undefined ? {} : { authz: judged }),
      routeName,
      clusterName,
      ...(endpoint === undefined ? {} : { upstream: endpoint }),
      attempts: tries?.count ?? 0,
      bytesReceived: this.body.bytes,
      bytesSent: this.bytesSent,
      startedAt: this.#startedAt,
      durationMs: this.parts.clock.monotonic() - this.#began,
    });
  }
}
