import { status as grpcStatus } from '@grpc/grpc-js';
import type { Clock } from '../../clock.ts';
import { Heartbeat } from '../gen/isthmus/xds/v1/xds.ts';
import type { ChangedNames, ResourceSet, ResourceView } from '../resource-source.ts';
import { heartbeatName, heartbeatTypeUrl } from '../type-urls.ts';
import type { AnyRequest, AnyResponse, ServerState } from './server-state.ts';
import type { StreamStatus } from './stream-status.ts';

/** What a session needs of a stream; a grpc-js server call has it. */
export interface XdsCall<Request, Response> {
  /** False: the client reads more slowly than we write, until 'drain'. */
  write(response: Response): boolean;
  on(event: 'data', listener: (request: Request) => void): unknown;
  on(event: 'drain' | 'end', listener: () => void): unknown;
  once(event: 'close', listener: () => void): unknown;
  emit(event: 'error', error: { readonly code: grpcStatus; readonly details: string }): boolean;
  end(): void;
}

export interface SessionOptions<Request, Response> {
  readonly call: XdsCall<Request, Response>;
  readonly state: ServerState<Request, Response>;
  readonly view: ResourceView;
  /** 0: none; heartbeats are for our own clients, who ask for them. */
  readonly heartbeatMs: number;
  readonly answerMs: number;
  readonly clock: Clock;
  readonly onNack: (typeUrl: string, message: string) => void;
  /** A resource cannot be encoded: the client stays on what it has of it. */
  readonly onUnsendable: (typeUrl: string, name: string, reason: string) => void;
  /** Once, when the session serves no more; the stream itself may take longer to end, if the client does not read. */
  readonly onClosed: () => void;
}

/** One stream: feeds the pure state, sends what it says as fast as the client reads, and no faster. */
export class XdsSession<Request extends AnyRequest, Response extends AnyResponse> {
  readonly #options: SessionOptions<Request, Response>;
  readonly #unsubscribe: () => void;
  readonly #connectedAt: number;
  /** Nonce → monotonic ms when it was sent. */
  readonly #unanswered = new Map<string, number>();
  #beats = 0;
  #beat: { readonly version: string; readonly value: Uint8Array } | undefined;
  #blocked = false;
  #scheduled = false;
  #closed = false;
  /** Monotonic ms since when the client runs on less than the view has; undefined: it has it all. */
  #behindSince: number | undefined;
  #lastNack: StreamStatus['lastNack'];
  #lastAnswerAt: number | undefined;

  constructor(options: SessionOptions<Request, Response>) {
    this.#options = options;
    this.#connectedAt = options.clock.now();
    this.#behindSince = options.clock.monotonic();
    this.#unsubscribe = options.view.subscribe((changes) => this.#changed(changes));
    options.call.on('drain', () => {
      this.#blocked = false;
      this.#pump();
    });
  }

  request(request: Request): void {
    if (this.#closed) return;
    const outcome = this.#options.state.request(request);
    if (outcome.kind === 'refused') {
      this.fail(grpcStatus.INVALID_ARGUMENT, outcome.reason);
      return;
    }
    if (outcome.kind === 'nacked') {
      this.#lastNack = { typeUrl: request.typeUrl, message: outcome.message, at: this.#options.clock.now() };
      this.#options.onNack(request.typeUrl, outcome.message);
    }
    if (outcome.kind === 'acked' || outcome.kind === 'nacked') {
      this.#unanswered.delete(request.responseNonce);
      this.#lastAnswerAt = this.#options.clock.now();
    }
    if (request.typeUrl === heartbeatTypeUrl && outcome.kind === 'subscribed') this.#makeBeat();
    this.#pump();
  }

  /** Once per heartbeat interval. */
  tick(): void {
    const { clock, answerMs } = this.#options;
    const [oldest] = this.#unanswered.values();
    if (oldest !== undefined && clock.monotonic() - oldest > answerMs) {
      this.fail(grpcStatus.DEADLINE_EXCEEDED, `a response was not answered within ${answerMs} ms`);
    } else if (this.#makeBeat()) this.#pump();
  }

  /** Ends the stream with that status; idempotent. */
  fail(code: grpcStatus, details: string): void {
    if (this.#closed) return;
    this.close();
    this.#options.call.emit('error', { code, details });
  }

  /** Lets go of everything; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    this.#options.onClosed();
  }

  status(): StreamStatus {
    const { state, clock } = this.#options;
    const current = this.#caughtUp();
    const types = [...state.types()].filter((type) => type.typeUrl !== heartbeatTypeUrl);
    return {
      connectedAt: this.#connectedAt,
      ...(this.#lastAnswerAt === undefined ? {} : { lastAnswerAt: this.#lastAnswerAt }),
      ...(this.#lastNack === undefined ? {} : { lastNack: this.#lastNack }),
      current,
      dataAgeMs: this.#behindSince === undefined ? 0 : clock.monotonic() - this.#behindSince,
      types: types.map((type) => ({
        typeUrl: type.typeUrl,
        subscribed: type.wildcard ? '*' : type.subscribed,
        acked: type.acked.size,
        waiting: type.inFlight !== undefined,
        refused: [...type.quarantined].map(([name, q]) => ({ name, ...q })),
      })),
    };
  }

  /** It holds something that is meant, and not all that there is for it at today's versions, or has refused what is meant. */
  isBehind(isMeant: (name: string) => boolean): boolean {
    const types = [...this.#options.state.types()];
    if (!types.some(({ acked }) => some(acked.keys(), isMeant))) return false;
    return !this.#caughtUp() || types.some(({ quarantined }) => some(quarantined.keys(), isMeant));
  }

  #changed(changes: readonly ChangedNames[] | undefined): void {
    if (!this.#options.state.changed(changes)) return;
    this.#behindSince ??= this.#options.clock.monotonic();
    // Many changes in one turn of the event loop make one look.
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const resources = this.#withBeat(this.#options.view.current());
    while (!this.#blocked && !this.#closed) {
      const response = this.#options.state.next(resources);
      this.#reportUnsendable();
      if (response === undefined) break;
      this.#unanswered.set(response.nonce, this.#options.clock.monotonic());
      this.#blocked = !this.#options.call.write(response);
    }
    if (!this.#closed) this.#age();
  }

  #reportUnsendable(): void {
    for (const type of this.#options.state.types()) {
      for (const { name, reason } of type.unsendable.splice(0)) this.#options.onUnsendable(type.typeUrl, name, reason);
    }
  }

  /** A refused resource keeps the client on an older version of it: only without any is its data of now. */
  #age(): void {
    const refuses = [...this.#options.state.types()].some((type) => type.quarantined.size > 0);
    if (!refuses && this.#caughtUp()) this.#behindSince = undefined;
    else this.#behindSince ??= this.#options.clock.monotonic();
  }

  #caughtUp(): boolean {
    const resources = this.#options.view.current();
    return resources !== undefined && this.#options.state.caughtUp(resources);
  }

  #withBeat(resources: ResourceSet | undefined): ResourceSet {
    if (this.#beat === undefined) return resources ?? new Map();
    return new Map(resources).set(heartbeatTypeUrl, new Map([[heartbeatName, { name: heartbeatName, ...this.#beat }]]));
  }

  /** Not while one is unanswered: then the client is late, and silence is what it should hear. */
  #makeBeat(): boolean {
    const { state, heartbeatMs } = this.#options;
    const type = [...state.types()].find((t) => t.typeUrl === heartbeatTypeUrl);
    if (type === undefined || type.inFlight !== undefined || heartbeatMs === 0) return false;
    const beat = { sequence: this.#beats++, intervalMs: heartbeatMs, current: this.#caughtUp() };
    this.#beat = { version: `${this.#connectedAt}-${beat.sequence}`, value: Heartbeat.encode(beat).finish() };
    state.changed([{ typeUrl: heartbeatTypeUrl, names: [heartbeatName] }]);
    return true;
  }
}

function some(names: Iterable<string>, isMeant: (name: string) => boolean): boolean {
  for (const name of names) if (isMeant(name)) return true;
  return false;
}
