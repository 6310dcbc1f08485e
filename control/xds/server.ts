import { status as grpcStatus } from '@grpc/grpc-js';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { formatSpiffeId } from '../../core/model/index.ts';
import type { ResourceSource } from '../../core/xds/index.ts';
import {
  type Admission,
  aggregatedService,
  type GrpcService,
  type StreamLimits,
  type StreamPeer,
  typeServices,
  XdsStreams,
} from '../../core/xds/server/index.ts';
import { type Caller, type ClientFacts, clientClass, identifyClient } from './caller.ts';
import { clientStatuses, type XdsClientStatus } from './status.ts';

export interface XdsServerOptions {
  readonly source: ResourceSource;
  /** This control plane's cluster: only its own agents, gateways and workloads are served. */
  readonly cluster: string;
  /** The authenticated caller; undefined refuses the stream. */
  readonly callerOf: (call: StreamPeer) => Caller | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<StreamLimits>;
}

/** xDS for our agents and gateways, Envoy and proxyless gRPC. Request sizes are limited by the gRPC server that it is added to. */
export interface XdsServer {
  /** Each for `server.addService`. */
  readonly services: readonly GrpcService[];
  /** One entry a client, whatever streams it holds; in no order. */
  clients(): readonly XdsClientStatus[];
  /**
   * Clients of this replica (SPIFFE-ID#INSTANCE) that call the service of this host, or carry its calls, and have not acknowledged all
   * that they are told by now, or refuse what concerns it: they may act by what was in force before. Sorted.
   */
  behind(host: string): readonly string[];
  /** Clients of this replica that hold a resource of such a name, and are not at the newest of all that they are told, or refuse it. Sorted. */
  behindOn(isMeant: (name: string) => boolean): readonly string[];
  /** Heartbeats and timeouts, until the signal aborts; then every stream ends with UNAVAILABLE, so that clients go elsewhere. */
  run(signal: AbortSignal): Promise<void>;
}

export function createXdsServer(options: XdsServerOptions): XdsServer {
  const { clock, log, limits = {} } = options;
  const streams = new XdsStreams<ClientFacts>({ admission: admissionOf(options), clock, log, limits });
  return {
    services: [aggregatedService(streams), ...typeServices(streams)],
    clients: () => clientStatuses(streams.clients()),
    behind: (host) => streams.behind((name) => name === host || name.endsWith(`|${host}`)),
    behindOn: (isMeant) => streams.behind(isMeant),
    run: (signal) => streams.run(signal),
  };
}

function admissionOf({ callerOf, cluster, source }: XdsServerOptions): Admission<ClientFacts> {
  return (call) => {
    const caller = callerOf(call);
    if (caller === undefined) return { code: grpcStatus.UNAUTHENTICATED, details: 'a certificate of this trust domain is needed' };
    return {
      countedAs: formatSpiffeId(caller.spiffeId),
      identify: (node) => {
        const facts = identifyClient(caller, node, cluster);
        if (!facts.ok) return { code: grpcStatus.PERMISSION_DENIED, details: facts.violations[0]?.message ?? 'refused' };
        const { id, dialect } = facts.value;
        return { client: facts.value, id, view: source.view(clientClass(facts.value)), single: dialect === 'native' };
      },
    };
  };
}
