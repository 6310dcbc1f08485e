import { status as grpcStatus } from '@grpc/grpc-js';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Node } from '../gen/envoy/config/core/v3/base.ts';
import type * as discovery from '../gen/envoy/service/discovery/v3/discovery.ts';
import type { ResourceView } from '../resource-source.ts';
import { typeRules } from '../type-urls.ts';
import { DeltaServerState } from './delta-server-state.ts';
import { defaultRequestLimits, type RequestLimits } from './limits.ts';
import { type XdsCall, XdsSession } from './session.ts';
import type { StreamStatus } from './stream-status.ts';

export interface StreamLimits extends RequestLimits {
  /** Streams of one key (`Opening.countedAs`). Default 256. */
  readonly streamsPerIdentity: number;
  /** Over all clients. Default 20,000. */
  readonly streams: number;
  /** Until the first request of a stream. Default 10 s. */
  readonly firstRequestMs: number;
  /** Until a response is answered. Default 30 s. */
  readonly answerMs: number;
  /** Default 5 s. */
  readonly heartbeatMs: number;
}

const defaultLimits: StreamLimits = {
  ...defaultRequestLimits,
  streamsPerIdentity: 256,
  streams: 20_000,
  firstRequestMs: 10_000,
  answerMs: 30_000,
  heartbeatMs: 5_000,
};

export interface Refusal {
  readonly code: grpcStatus;
  /** For the operator who reads it in the client's log. */
  readonly details: string;
}

/** A stream whose caller may open one. */
export interface Opening<Client> {
  /** Streams are counted, and limited, by this. */
  readonly countedAs: string;
  /** With the node of the first request: whom the stream is for and what it is served, or why not. */
  identify(node: Node | undefined): Admitted<Client> | Refusal;
}

export interface Admitted<Client> {
  readonly client: Client;
  /** For logs and status. */
  readonly id: string;
  readonly view: ResourceView;
  /** The id is of one process that holds one stream: the newest wins, since an older one is what a cut network left behind. */
  readonly single: boolean;
}

export type DeltaCall = XdsCall<discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse>;

export interface XdsStreamsOptions<Call, Client> {
  /** Who may open a stream. Must not throw. */
  readonly open: (call: Call) => Opening<Client> | Refusal;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Partial<StreamLimits>;
}

type DeltaSession = XdsSession<discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse>;

interface Member<Client> {
  readonly client: Client;
  readonly id: string;
  readonly session: DeltaSession;
}

/** The streams of one xDS server: lets them in, counts them, watches over them. Whoever uses it says who may have what. */
export class XdsStreams<Call extends DeltaCall, Client> {
  readonly #options: XdsStreamsOptions<Call, Client>;
  readonly #limits: StreamLimits;
  readonly #members = new Set<Member<Client>>();
  readonly #singles = new Map<string, Member<Client>>();
  /** Streams that have not said who they are, and since when. */
  readonly #strangers = new Map<Call, number>();
  readonly #counts = new Map<string, number>();
  #draining = false;

  constructor(options: XdsStreamsOptions<Call, Client>) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
  }

  accept(call: Call): void {
    const opening = this.#open(call);
    if ('code' in opening) {
      call.emit('error', opening);
      return;
    }
    const { countedAs } = opening;
    this.#counts.set(countedAs, (this.#counts.get(countedAs) ?? 0) + 1);
    this.#strangers.set(call, this.#options.clock.monotonic());
    let session: DeltaSession | undefined;
    call.on('data', (request) => {
      if (session === undefined && this.#strangers.delete(call)) session = this.#admit(call, opening, request.node);
      session?.request(request);
    });
    call.on('end', () => call.end());
    call.once('close', () => {
      this.#strangers.delete(call);
      const left = (this.#counts.get(countedAs) ?? 1) - 1;
      if (left > 0) this.#counts.set(countedAs, left);
      else this.#counts.delete(countedAs);
      session?.close();
    });
  }

  clients(): (StreamStatus & { readonly client: Client })[] {
    return [...this.#members].map(({ client, session }) => ({ client, ...session.status() }));
  }

  /** Heartbeats and timeouts, until the signal aborts; then every stream ends with UNAVAILABLE, so that clients go elsewhere. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      for (const { session } of this.#members) session.tick();
      const late = clock.monotonic() - this.#limits.firstRequestMs;
      for (const [call, since] of this.#strangers) {
        if (since < late) call.emit('error', { code: grpcStatus.DEADLINE_EXCEEDED, details: 'no request came' });
      }
      await clock.sleep(this.#limits.heartbeatMs, signal).catch(() => undefined);
    }
    this.#draining = true;
    for (const { session } of this.#members) session.fail(grpcStatus.UNAVAILABLE, 'shutting down');
    for (const call of this.#strangers.keys()) call.emit('error', { code: grpcStatus.UNAVAILABLE, details: 'shutting down' });
  }

  #open(call: Call): Opening<Client> | Refusal {
    const opening = this.#options.open(call);
    if ('code' in opening) return opening;
    if (this.#draining) return { code: grpcStatus.UNAVAILABLE, details: 'shutting down' };
    const count = this.#counts.get(opening.countedAs) ?? 0;
    if (count < this.#limits.streamsPerIdentity && this.#members.size + this.#strangers.size < this.#limits.streams) return opening;
    return { code: grpcStatus.RESOURCE_EXHAUSTED, details: `too many streams (${count} of ${opening.countedAs})` };
  }

  #admit(call: Call, { countedAs, identify }: Opening<Client>, node: Node | undefined): DeltaSession | undefined {
    const { clock, log } = this.#options;
    const admitted = identify(node);
    if ('code' in admitted) {
      log.warn({ identity: countedAs, reason: admitted.details }, 'xDS client refused');
      call.emit('error', admitted);
      return undefined;
    }
    const { id, client, view, single } = admitted;
    const { heartbeatMs, answerMs } = this.#limits;
    const state = new DeltaServerState(
      typeRules.map((rule) => rule.typeUrl),
      this.#limits,
    );
    const onNack = (typeUrl: string, reason: string) => log.warn({ client: id, typeUrl, reason }, 'client refused xDS resources');
    const onClosed = () => {
      this.#members.delete(member);
      if (this.#singles.get(id) === member) this.#singles.delete(id);
    };
    const session = new XdsSession({ call, state, view, heartbeatMs, answerMs, clock, onNack, onClosed });
    const member = { client, id, session };
    if (single) {
      this.#singles.get(id)?.session.fail(grpcStatus.ABORTED, 'a newer stream of this client has taken over');
      this.#singles.set(id, member);
    }
    this.#members.add(member);
    log.info({ client: id }, 'xDS client connected');
    return session;
  }
}
