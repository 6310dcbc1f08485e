import { randomUUID } from 'node:crypto';
import type { DeliveredConnection, ResponseFlag } from '../engine/index.ts';
import type { ForwardParts } from './contract.ts';
import type { Downstream } from './downstream.ts';
import { headerOf } from './headers.ts';
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

  /** Of headers or trailers; the last one counts. */
  protected noteGrpc(fields: readonly string[]): void {
    this.#grpcStatus = headerOf(fields, 'grpc-status') ?? this.#grpcStatus;
  }

  protected tell({ protocol, upgrade, finished }: Downstream, routeName: string, clusterName: string, tries: Tries | undefined): void {
    const { request, flags } = this;
    if (!finished && flags.size === 0 && !upgrade) flags.add('DC');
    const { endpoint } = tries ?? {};
    this.parts.onRequest({
      connection: this.connection,
      requestId: this.requestId,
      method: request.method,
      path: request.path,
      authority: request.authority,
      protocol,
      userAgent: headerOf(request.headers, 'user-agent') ?? '',
      status: this.status,
      ...(isGrpc(request.headers) ? { grpcStatus: this.#grpcStatus } : {}),
      flags: [...flags],
      detail: this.detail,
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
