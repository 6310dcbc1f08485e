import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import {
  type DeltaClientState,
  type discovery,
  type EncodedResource,
  peering,
  peeringOrder,
  type ResourceSet,
  peeringTypeUrls as urls,
} from '../../core/xds/index.ts';
import { DeltaServerState } from '../../core/xds/server/index.ts';
import type { PeeringTiming } from './contract.ts';
import type { PeerExports } from './peer-exports.ts';
import type { PeerImports } from './peer-imports.ts';

/** Until a response is answered. */
const answerMs = 30_000;
const markName = 'sync';

/** What a grpc-js call of either side can do. */
export interface PeerStream {
  write(message: peering.PeerMessage): boolean;
  on(event: 'data', listener: (message: peering.PeerMessage) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'drain' | 'end' | 'close', listener: () => void): unknown;
  emit(event: 'error', error: unknown): boolean;
}

export interface PeerSessionOptions {
  /** A grpc-js call of either side. */
  readonly stream: PeerStream;
  /** Ends the call with that text for the other side. */
  readonly hangUp: (reason: string) => void;
  readonly dialledBy: 'us' | 'them';
  /** As the certificate proves. */
  readonly cluster: string;
  readonly hello: peering.PeerHello;
  readonly clock: Clock;
  readonly timing: PeeringTiming;
  /** The other's hello has come: whether this stream is to be used; a text refuses it. */
  readonly onHello: (session: PeerSession, hello: peering.PeerHello) => PeerParts | string;
  /** Once. */
  readonly onEnd: (session: PeerSession, reason: string) => void;
}

/** What of a peer outlives its streams. */
export interface PeerParts {
  readonly client: DeltaClientState;
  readonly imports: PeerImports;
  readonly exports: PeerExports;
  readonly epoch: string;
  /** Tells this stream's SyncMark from those of streams before. */
  readonly streamId: string;
}

/** One stream between two control planes: a delta client and a delta server in each direction, hellos and heartbeats. */
export class PeerSession {
  readonly dialledBy: 'us' | 'them';
  readonly cluster: string;
  /** The other's, once it has said hello. */
  hello: peering.PeerHello | undefined;
  readonly #options: PeerSessionOptions;
  readonly #server = new DeltaServerState(peeringOrder);
  readonly #unanswered = new Map<string, number>();
  readonly #stop = new AbortController();
  #parts: PeerParts | undefined;
  #unsubscribe: (() => void) | undefined;
  #heardAt: number;
  #beats = 0;
  #blocked = false;
  #scheduled = false;

  constructor(options: PeerSessionOptions) {
    this.#options = options;
    this.dialledBy = options.dialledBy;
    this.cluster = options.cluster;
    this.#heardAt = options.clock.monotonic();
    const { stream } = options;
    stream.on('data', (message: peering.PeerMessage) => {
      try {
        this.#receive(message);
      } catch (error) {
        this.end(`internal error: ${String(error)}`);
      }
    });
    stream.on('drain', () => {
      this.#blocked = false;
      this.#pump();
    });
    stream.on('error', (error: Error) => this.end(error.message));
    stream.on('end', () => this.end('the peer ended the stream'));
    stream.on('close', () => this.end('the stream was closed'));
    this.#send({ $case: 'hello', value: options.hello });
    this.#watch().catch((error: unknown) => this.end(String(error)));
  }

  get ended(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Idempotent; nothing is passed on afterwards. */
  end(reason: string): void {
    if (this.ended) return;
    this.#stop.abort();
    this.#unsubscribe?.();
    this.#parts?.client.streamLost();
    this.#options.hangUp(reason);
    this.#options.onEnd(this, reason);
  }

  #receive(message: peering.PeerMessage): void {
    if (this.ended) return;
    this.#heardAt = this.#options.clock.monotonic();
    const body = message.body;
    if (body?.$case === 'hello') {
      this.#greeted(body.value);
      return;
    }
    // A kind of message that this version does not know is no fault.
    if (body === undefined) return;
    if (this.#parts === undefined) {
      this.end('the peer spoke before its hello');
    } else if (body.$case === 'request') this.#request(body.value);
    else if (body.$case === 'response') this.#response(this.#parts, body.value);
    else this.#parts.imports.heartbeat(body.value.revision, body.value.nowMs);
  }

  #greeted(hello: peering.PeerHello): void {
    if (this.hello !== undefined) {
      this.end('the peer said hello twice');
      return;
    }
    if (hello.cluster !== this.cluster) {
      this.end(`the peer says it is ${hello.cluster}, its certificate is of ${this.cluster}`);
      return;
    }
    this.hello = hello;
    const parts = this.#options.onHello(this, hello);
    if (typeof parts === 'string') {
      this.end(parts);
      return;
    }
    this.#parts = parts;
    for (const typeUrl of [...peeringOrder, urls.syncMark]) parts.client.subscribe(typeUrl, '*');
    for (const request of parts.client.streamOpened()) this.#send({ $case: 'request', value: request });
    this.#unsubscribe = parts.exports.subscribe((changed) => {
      this.#server.changed([...changed, { typeUrl: urls.syncMark, names: [markName] }]);
      this.#schedule();
    });
    this.#beat();
  }

  #request(request: discovery.DeltaDiscoveryRequest): void {
    const outcome = this.#server.request(request);
    if (outcome.kind === 'refused') {
      this.end(outcome.reason);
      return;
    }
    this.#unanswered.delete(request.responseNonce);
    this.#pump();
  }

  #response(parts: PeerParts, response: discovery.DeltaDiscoveryResponse): void {
    const received = parts.client.receive(response);
    const rejections = parts.imports.update(received.update);
    if (!this.ended) this.#send({ $case: 'request', value: parts.client.settle(received, rejections) });
  }

  #schedule(): void {
    if (this.#scheduled || this.ended) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    const resources = this.#parts?.exports.current();
    // Nothing is known yet: saying nothing is not saying that there is nothing.
    if (resources === undefined || this.#parts === undefined) return;
    while (!this.#blocked && !this.ended) {
      const response = this.#server.next(resources) ?? this.#endOfSet(resources, this.#parts);
      if (response === undefined) return;
      this.#unanswered.set(response.nonce, this.#options.clock.monotonic());
      this.#send({ $case: 'response', value: response });
    }
  }

  /** The mark goes out once everything, removals too, was sent and answered: so what it does not cover is gone for sure. */
  #endOfSet(resources: ResourceSet, parts: PeerParts): discovery.DeltaDiscoveryResponse | undefined {
    if (!this.#server.caughtUp(resources)) return undefined;
    return this.#server.next(new Map([...resources, [urls.syncMark, new Map([[markName, this.#mark(parts)]])]]));
  }

  #mark({ exports, epoch, streamId }: PeerParts): EncodedResource {
    const value = peering.SyncMark.encode({ epoch, revision: exports.revision, complete: true }).finish();
    return { name: markName, version: `${epoch}.${exports.revision}.${streamId}`, value };
  }

  #send(body: NonNullable<peering.PeerMessage['body']>): void {
    if (!this.#options.stream.write({ body })) this.#blocked = true;
  }

  #beat(): void {
    if (this.#parts === undefined) return;
    this.#beats += 1;
    const { revision } = this.#parts.exports;
    this.#send({ $case: 'heartbeat', value: { sequence: this.#beats, revision, nowMs: Math.floor(this.#options.clock.now()) } });
  }

  async #watch(): Promise<void> {
    const { clock, timing } = this.#options;
    const startedAt = clock.monotonic();
    try {
      for (;;) {
        await clock.sleep(timing.heartbeatMs, this.#stop.signal);
        const now = clock.monotonic();
        const [oldest] = this.#unanswered.values();
        if (this.hello === undefined) {
          if (now - startedAt >= timing.helloMs) this.end(`no hello within ${timing.helloMs} ms`);
        } else if (now - this.#heardAt >= timing.silenceMs) this.end(`nothing was heard for ${timing.silenceMs} ms`);
        else if (oldest !== undefined && now - oldest >= answerMs) this.end(`a response was not answered within ${answerMs} ms`);
        // A peer that does not read gets no more to buffer.
        else if (!this.#blocked) this.#beat();
      }
    } catch (error) {
      if (!isAborted(error)) throw error;
    }
  }
}
