import { status as grpcStatus } from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import type { ads, ResourceSource } from '../../core/xds/index.ts';
import { type Caller, clientClass, identifyClient } from './caller.ts';
import { type DeltaServerLimits, defaultDeltaLimits } from './delta-server-state.ts';
import { type AdsCall, XdsSession } from './session.ts';
import type { XdsClientStatus } from './status.ts';

export interface XdsServerOptions {
  readonly source: ResourceSource;
  /** This control plane's cluster: only its own agents and gateways are served. */
  readonly cluster: string;
  /** The authenticated caller; undefined refuses the stream. */
  readonly callerOf: (call: AdsCall) => Caller | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<XdsServerLimits>;
}

export interface XdsServerLimits extends DeltaServerLimits {
  /** Streams of one identity. Default 256. */
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

/** Delta ADS for our agents and gateways. Request sizes are limited by the gRPC server that it is added to. */
export interface XdsServer {
  /** For `server.addService(ads.AggregatedDiscoveryServiceService, …)`. */
  readonly handlers: ads.AggregatedDiscoveryServiceServer;
  clients(): readonly XdsClientStatus[];
  /** Heartbeats and timeouts, until the signal aborts; then every stream ends with UNAVAILABLE, so that clients go elsewhere. */
  run(signal: AbortSignal): Promise<void>;
}

export function createXdsServer(options: XdsServerOptions): XdsServer {
  const server = new DeltaAdsServer(options);
  return {
    handlers: {
      deltaAggregatedResources: (call) => server.accept(call),
      streamAggregatedResources: (call) => {
        call.emit('error', {
          code: grpcStatus.UNIMPLEMENTED,
          details: 'use DeltaAggregatedResources: state-of-the-world ADS is not served',
        });
      },
    },
    clients: () => server.clients(),
    run: (signal) => server.run(signal),
  };
}

class DeltaAdsServer {
  readonly #options: XdsServerOptions;
  readonly #limits: XdsServerLimits;
  readonly #sessions = new Map<string, XdsSession>();
  /** Streams that have not said who they are. */
  readonly #strangers = new Map<AdsCall, number>();
  readonly #perIdentity = new Map<string, number>();
  #draining = false;

  constructor(options: XdsServerOptions) {
    this.#options = options;
    const defaults = { streamsPerIdentity: 256, streams: 20_000, firstRequestMs: 10_000, answerMs: 30_000, heartbeatMs: 5_000 };
    this.#limits = { ...defaultDeltaLimits, ...defaults, ...options.limits };
  }

  accept(call: AdsCall): void {
    const caller = this.#options.callerOf(call);
    const refusal = this.#refusalOf(caller);
    if (caller === undefined || refusal !== undefined) {
      call.emit('error', refusal);
      return;
    }
    const identity = formatSpiffeId(caller.spiffeId);
    this.#perIdentity.set(identity, (this.#perIdentity.get(identity) ?? 0) + 1);
    this.#strangers.set(call, this.#options.clock.monotonic());
    let session: XdsSession | undefined;
    call.on('data', (request) => {
      if (session === undefined && this.#strangers.delete(call)) session = this.#admit(call, caller, request.node);
      session?.request(request);
    });
    call.on('end', () => call.end());
    call.once('close', () => this.#left(call, identity, session));
  }

  #refusalOf(caller: Caller | undefined): { readonly code: grpcStatus; readonly details: string } | undefined {
    if (caller === undefined) return { code: grpcStatus.UNAUTHENTICATED, details: 'a certificate of this trust domain is needed' };
    if (this.#draining) return { code: grpcStatus.UNAVAILABLE, details: 'shutting down' };
    const identity = formatSpiffeId(caller.spiffeId);
    const streams = this.#perIdentity.get(identity) ?? 0;
    if (streams < this.#limits.streamsPerIdentity && this.#sessions.size + this.#strangers.size < this.#limits.streams) return undefined;
    return { code: grpcStatus.RESOURCE_EXHAUSTED, details: `too many streams (${streams} of ${identity})` };
  }

  clients(): readonly XdsClientStatus[] {
    return [...this.#sessions.values()].map((session) => session.status());
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      for (const session of this.#sessions.values()) session.tick();
      const late = clock.monotonic() - this.#limits.firstRequestMs;
      for (const [call, since] of this.#strangers) {
        if (since < late) call.emit('error', { code: grpcStatus.DEADLINE_EXCEEDED, details: 'no request came' });
      }
      await clock.sleep(this.#limits.heartbeatMs, signal).catch(() => undefined);
    }
    this.#draining = true;
    for (const session of this.#sessions.values()) session.fail(grpcStatus.UNAVAILABLE, 'shutting down');
    for (const call of this.#strangers.keys()) call.emit('error', { code: grpcStatus.UNAVAILABLE, details: 'shutting down' });
  }

  #admit(call: AdsCall, caller: Caller, node: Parameters<typeof identifyClient>[1]): XdsSession | undefined {
    const { clock, log, source, cluster } = this.#options;
    const facts = identifyClient(caller, node, cluster);
    if (!facts.ok) {
      const reason = facts.violations[0]?.message ?? 'refused';
      log.warn({ identity: formatSpiffeId(caller.spiffeId), reason }, 'xDS client refused');
      call.emit('error', { code: grpcStatus.PERMISSION_DENIED, details: reason });
      return undefined;
    }
    const { heartbeatMs, answerMs } = this.#limits;
    const view = source.view(clientClass(facts.value));
    const { id } = facts.value;
    const onClosed = () => {
      if (this.#sessions.get(id) === session) this.#sessions.delete(id);
    };
    const session = new XdsSession({ call, facts: facts.value, view, limits: this.#limits, heartbeatMs, answerMs, clock, log, onClosed });
    // The newest stream of a process wins: the older one is what a cut network left behind.
    this.#sessions.get(id)?.fail(grpcStatus.ABORTED, 'a newer stream of this client has taken over');
    this.#sessions.set(id, session);
    log.info({ client: id, network: facts.value.network }, 'xDS client connected');
    return session;
  }

  #left(call: AdsCall, identity: string, session: XdsSession | undefined): void {
    this.#strangers.delete(call);
    const left = (this.#perIdentity.get(identity) ?? 1) - 1;
    if (left > 0) this.#perIdentity.set(identity, left);
    else this.#perIdentity.delete(identity);
    session?.close();
  }
}
