import type { ServerDuplexStream } from '@grpc/grpc-js';
import { status as grpcStatus } from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import type { ads, discovery, ResourceSource } from '../../core/xds/index.ts';
import { type Opening, type Refusal, type StreamLimits, XdsStreams } from '../../core/xds/server/index.ts';
import { type Caller, type ClientFacts, clientClass, identifyClient } from './caller.ts';
import { clientStatus, type XdsClientStatus } from './status.ts';

type AdsCall = ServerDuplexStream<discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse>;

export interface XdsServerOptions {
  readonly source: ResourceSource;
  /** This control plane's cluster: only its own agents and gateways are served. */
  readonly cluster: string;
  /** The authenticated caller; undefined refuses the stream. */
  readonly callerOf: (call: AdsCall) => Caller | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<StreamLimits>;
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
  const { clock, log, limits = {} } = options;
  const streams = new XdsStreams<AdsCall, ClientFacts>({ open: (call) => opening(options, call), clock, log, limits });
  return {
    handlers: {
      deltaAggregatedResources: (call) => streams.accept(call),
      streamAggregatedResources: (call) => {
        call.emit('error', {
          code: grpcStatus.UNIMPLEMENTED,
          details: 'use DeltaAggregatedResources: state-of-the-world ADS is not served',
        });
      },
    },
    clients: () => streams.clients().map(clientStatus),
    run: (signal) => streams.run(signal),
  };
}

function opening({ callerOf, cluster, source }: XdsServerOptions, call: AdsCall): Opening<ClientFacts> | Refusal {
  const caller = callerOf(call);
  if (caller === undefined) return { code: grpcStatus.UNAUTHENTICATED, details: 'a certificate of this trust domain is needed' };
  return {
    countedAs: formatSpiffeId(caller.spiffeId),
    identify: (node) => {
      const facts = identifyClient(caller, node, cluster);
      if (!facts.ok) return { code: grpcStatus.PERMISSION_DENIED, details: facts.violations[0]?.message ?? 'refused' };
      return { client: facts.value, id: facts.value.id, view: source.view(clientClass(facts.value)), single: true };
    },
  };
}
