import { status as grpcStatus } from '@grpc/grpc-js';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Node } from '../gen/envoy/config/core/v3/base.ts';
import type * as discovery from '../gen/envoy/service/discovery/v3/discovery.ts';
import { typeRules } from '../type-urls.ts';
import type { Admission, Opening, Refusal, StreamPeer } from './admission.ts';
import { DeltaServerState } from './delta-server-state.ts';
import { defaultRequestLimits, type RequestLimits } from './limits.ts';
import type { AnyRequest, AnyResponse, ServerState } from './server-state.ts';
import { type XdsCall, XdsSession } from './session.ts';
import { SotwServerState } from './sotw-server-state.ts';
import type { StreamStatus } from './stream-status.ts';

/** A grpc-js server call. */
export type StreamCall<Request, Response> = XdsCall<Request, Response> & StreamPeer;

export interface StreamLimits extends RequestLimits {
  /** Streams of one key (`Opening.countedAs`). Default 256. */
  readonly streamsPerIdentity: number;
  /** Over all clients. Default 20,000. */
  readonly streams: number;
  /** Until the first request of a stream. Default 10 s. */
  readonly firstRequestMs: number;
  /** Until a response is answered. Default 30 s: Envoy answers for clusters once they are warm, or after 15 s unless told otherwise. */
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

export interface XdsStreamsOptions<Client> {
  readonly admission: Admission<Client>;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Partial<StreamLimits>;
}

/** A client whose HTTP/2 takes 8 KiB of headers must hear it, percent-encoded; with more the stream would end without a word, or not at all. */
const longestDetails = 2048;

type Variant<Request, Response> = new (order: readonly string[], limits: RequestLimits, stream: string) => ServerState<Request, Response>;
type FirstRequest = AnyRequest & { readonly node: Node | undefined };

/** Either variant's. */
type Session = Pick<XdsSession<never, never>, 'status' | 'isBehind' | 'tick' | 'fail' | 'close'>;

interface Member<Client> {
  readonly client: Client;
  readonly id: string;
  readonly session: Session;
}

const order = typeRules.map((rule) => rule.typeUrl);

/** The streams of one xDS server: lets them in, counts them, watches over them. Whoever uses it says who may have what. */
export class XdsStreams<Client> {
  readonly #options: XdsStreamsOptions<Client>;
  readonly #limits: StreamLimits;
  readonly #members = new Set<Member<Client>>();
  readonly #singles = new Map<string, Member<Client>>();
  /** Streams that have not said who they are, and since when. */
  readonly #strangers = new Map<Pick<StreamCall<never, never>, 'emit'>, number>();
  readonly #counts = new Map<string, number>();
  #accepted = 0;
  #draining = false;

  constructor(options: XdsStreamsOptions<Client>) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
  }

  /** `only`: the one type of a stream that is not aggregated. */
  acceptDelta(call: StreamCall<discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse>, only?: string): void {
    this.#accept(call, DeltaServerState, only);
  }

  acceptSotw(call: StreamCall<discovery.DiscoveryRequest, discovery.DiscoveryResponse>, only?: string): void {
    this.#accept(call, SotwServerState, only);
  }

  clients(): (StreamStatus & { readonly client: Client })[] {
    return [...this.#members].map(({ client, session }) => ({ client, ...session.status() }));
  }

  /** Ids of clients that hold something of such a name, and are not at the newest of all that they are told. Each once, sorted. */
  behind(isMeant: (name: string) => boolean): readonly string[] {
    const late = [...this.#members].filter(({ session }) => session.isBehind(isMeant)).map(({ id }) => id);
    return [...new Set(late)].sort();
  }

  /**
   * Heartbeats and timeouts, until the signal aborts; then every stream ends with UNAVAILABLE, so that clients go elsewhere. A stream
   * that stops moving is found by its next response, which must be answered within `answerMs`, and a dead connection by the gRPC
   * server's keepalive. A foreign client that owes no answer and is silent may be well or hung: nothing tells them apart.
   */
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

  #accept<Request extends FirstRequest, Response extends AnyResponse>(
    call: StreamCall<Request, Response>,
    variant: Variant<Request, Response>,
    only: string | undefined,
  ): void {
    const opening = this.#open(call);
    if ('code' in opening) {
      call.emit('error', opening);
      return;
    }
    const { countedAs } = opening;
    this.#counts.set(countedAs, (this.#counts.get(countedAs) ?? 0) + 1);
    this.#strangers.set(call, this.#options.clock.monotonic());
    let session: XdsSession<Request, Response> | undefined;
    let nodeId: string | undefined;
    call.on('data', (request) => {
      if (session === undefined && this.#strangers.delete(call)) {
        nodeId = request.node?.id;
        session = this.#admit(call, variant, opening, request.node);
      }
      const fault = faultOnStream(request, nodeId, only);
      if (fault !== undefined) session?.fail(grpcStatus.INVALID_ARGUMENT, fault);
      else session?.request(only !== undefined && request.typeUrl === '' ? { ...request, typeUrl: only } : request);
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

  #open(call: StreamPeer): Opening<Client> | Refusal {
    const opening = this.#options.admission(call);
    if ('code' in opening) return opening;
    if (this.#draining) return { code: grpcStatus.UNAVAILABLE, details: 'shutting down' };
    const count = this.#counts.get(opening.countedAs) ?? 0;
    if (count < this.#limits.streamsPerIdentity && this.#members.size + this.#strangers.size < this.#limits.streams) return opening;
    return { code: grpcStatus.RESOURCE_EXHAUSTED, details: `too many streams (${count} of ${opening.countedAs})` };
  }

  #admit<Request extends FirstRequest, Response extends AnyResponse>(
    call: StreamCall<Request, Response>,
    variant: Variant<Request, Response>,
    { countedAs, identify }: Opening<Client>,
    node: Node | undefined,
  ): XdsSession<Request, Response> | undefined {
    const { clock, log } = this.#options;
    const admitted = identify(node);
    if ('code' in admitted) {
      const details = admitted.details.slice(0, longestDetails);
      log.warn({ identity: countedAs, reason: details }, 'xDS client refused');
      call.emit('error', { code: admitted.code, details });
      return undefined;
    }
    const { id, client, view, single } = admitted;
    const { heartbeatMs, answerMs } = this.#limits;
    this.#accepted += 1;
    const state = new variant(order, this.#limits, `${this.#accepted.toString(36)}.`);
    const onNack = (typeUrl: string, reason: string) => log.warn({ client: id, typeUrl, reason }, 'client refused xDS resources');
    const onUnsendable = (typeUrl: string, name: string, reason: string) =>
      log.error({ client: id, typeUrl, name, reason }, 'xDS resource withheld');
    const onClosed = () => {
      this.#members.delete(member);
      if (this.#singles.get(id) === member) this.#singles.delete(id);
    };
    const session = new XdsSession({ call, state, view, heartbeatMs, answerMs, clock, onNack, onUnsendable, onClosed });
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

/** A later node is not looked at but for this: what a client is served was settled with its first request. */
function faultOnStream({ node, typeUrl }: FirstRequest, nodeId: string | undefined, only: string | undefined): string | undefined {
  if (node !== undefined && node.id !== '' && node.id !== nodeId) return 'another node than in the first request';
  if (only !== undefined && typeUrl !== '' && typeUrl !== only) return `this stream serves ${only}, not ${typeUrl.slice(0, 256)}`;
  return undefined;
}
