import type { ServerDuplexStream } from '@grpc/grpc-js';
import { status as grpcStatus } from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import {
  type discovery,
  heartbeatName,
  heartbeatTypeUrl,
  nativeOrder,
  type ResourceSet,
  type ResourceView,
  xds,
} from '../../core/xds/index.ts';
import type { ClientFacts } from './caller.ts';
import { type DeltaServerLimits, DeltaServerState } from './delta-server-state.ts';
import type { XdsClientStatus } from './status.ts';

export type AdsCall = ServerDuplexStream<discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse>;

export interface SessionOptions {
  readonly call: AdsCall;
  readonly facts: ClientFacts;
  readonly view: ResourceView;
  readonly limits: DeltaServerLimits;
  readonly heartbeatMs: number;
  readonly answerMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Once, when the session serves no more; the stream itself may take longer to end, if the client does not read. */
  readonly onClosed: () => void;
}

/** One client's stream: feeds the pure state, sends what it says as fast as the client reads, and no faster. */
export class XdsSession {
  readonly facts: ClientFacts;
  readonly #options: SessionOptions;
  readonly #state: DeltaServerState;
  readonly #unsubscribe: () => void;
  readonly #connectedAt: number;
  /** Nonce → monotonic ms when it was sent. */
  readonly #unanswered = new Map<string, number>();
  #beats = 0;
  #beat: { readonly version: string; readonly value: Uint8Array } | undefined;
  #blocked = false;
  #scheduled = false;
  #closed = false;
  #lastNack: XdsClientStatus['lastNack'];
  #lastAnswerAt: number | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.facts = options.facts;
    this.#state = new DeltaServerState(nativeOrder, options.limits);
    this.#connectedAt = options.clock.now();
    this.#unsubscribe = options.view.subscribe((changes) => {
      this.#state.changed(changes);
      this.#schedule();
    });
    options.call.on('drain', () => {
      this.#blocked = false;
      this.#pump();
    });
  }

  request(request: discovery.DeltaDiscoveryRequest): void {
    if (this.#closed) return;
    const outcome = this.#state.request(request);
    if (outcome.kind === 'refused') {
      this.fail(grpcStatus.INVALID_ARGUMENT, outcome.reason);
      return;
    }
    if (outcome.kind === 'nacked') {
      const at = this.#options.clock.now();
      this.#lastNack = { typeUrl: request.typeUrl, message: outcome.message, at };
      this.#options.log.warn({ client: this.facts.id, typeUrl: request.typeUrl, reason: outcome.message }, 'client refused xDS resources');
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
      return;
    }
    this.#makeBeat();
    this.#pump();
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

  status(): XdsClientStatus {
    const resources = this.#options.view.current();
    return {
      id: this.facts.id,
      kind: this.facts.kind,
      identity: formatSpiffeId(this.facts.identity),
      instance: this.facts.instance,
      network: this.facts.network,
      version: this.facts.version,
      connectedAt: this.#connectedAt,
      ...(this.#lastAnswerAt === undefined ? {} : { lastAnswerAt: this.#lastAnswerAt }),
      ...(this.#lastNack === undefined ? {} : { lastNack: this.#lastNack }),
      current: resources !== undefined && this.#state.caughtUp(this.#withBeat(resources)),
      types: [...this.#state.types()]
        .filter((type) => type.typeUrl !== heartbeatTypeUrl)
        .map((type) => ({
          typeUrl: type.typeUrl,
          subscribed: type.wildcard ? '*' : type.subscribed,
          acked: type.acked.size,
          waiting: type.inFlight !== undefined,
          refused: [...type.quarantined].map(([name, q]) => ({ name, ...q })),
        })),
    };
  }

  /** Many changes in one turn of the event loop make one look. */
  #schedule(): void {
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
      const response = this.#state.next(resources);
      if (response === undefined) return;
      this.#unanswered.set(response.nonce, this.#options.clock.monotonic());
      // False: the client reads more slowly than we write; 'drain' says when it has caught up.
      this.#blocked = !this.#options.call.write(response);
    }
  }

  #withBeat(resources: ResourceSet | undefined): ResourceSet {
    const set = new Map(resources);
    if (this.#beat !== undefined) set.set(heartbeatTypeUrl, new Map([[heartbeatName, { name: heartbeatName, ...this.#beat }]]));
    return set;
  }

  /** Not while one is unanswered: then the client is late, and silence is what it should hear. */
  #makeBeat(): void {
    const type = [...this.#state.types()].find((t) => t.typeUrl === heartbeatTypeUrl);
    if (type === undefined || type.inFlight !== undefined) return;
    const resources = this.#options.view.current();
    const beat = {
      sequence: this.#beats++,
      intervalMs: this.#options.heartbeatMs,
      current: resources !== undefined && this.#state.caughtUp(new Map(resources)),
    };
    this.#beat = { version: `${this.#connectedAt}-${beat.sequence}`, value: xds.Heartbeat.encode(beat).finish() };
    this.#state.changed([{ typeUrl: heartbeatTypeUrl, names: [heartbeatName] }]);
  }
}
