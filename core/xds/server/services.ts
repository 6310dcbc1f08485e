import {
  status as grpcStatus,
  type handleBidiStreamingCall,
  type handleUnaryCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ClusterDiscoveryServiceService } from '../gen/envoy/service/cluster/v3/cds.ts';
import { AggregatedDiscoveryServiceService } from '../gen/envoy/service/discovery/v3/ads.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '../gen/envoy/service/discovery/v3/discovery.ts';
import { EndpointDiscoveryServiceService } from '../gen/envoy/service/endpoint/v3/eds.ts';
import { ListenerDiscoveryServiceService } from '../gen/envoy/service/listener/v3/lds.ts';
import { RouteDiscoveryServiceService } from '../gen/envoy/service/route/v3/rds.ts';
import { SecretDiscoveryServiceService } from '../gen/envoy/service/secret/v3/sds.ts';
import { envoyOrder, envoyTypeUrls } from '../type-urls.ts';
import type { XdsStreams } from './streams.ts';

/** For `server.addService(definition, handlers)`. */
export interface GrpcService {
  readonly definition: ServiceDefinition;
  readonly handlers: UntypedServiceImplementation;
}

const perType = [
  { typeUrl: envoyTypeUrls.cluster, definition: ClusterDiscoveryServiceService, of: 'Clusters' },
  { typeUrl: envoyTypeUrls.loadAssignment, definition: EndpointDiscoveryServiceService, of: 'Endpoints' },
  { typeUrl: envoyTypeUrls.listener, definition: ListenerDiscoveryServiceService, of: 'Listeners' },
  { typeUrl: envoyTypeUrls.route, definition: RouteDiscoveryServiceService, of: 'Routes' },
  { typeUrl: envoyTypeUrls.secret, definition: SecretDiscoveryServiceService, of: 'Secrets' },
] as const;

/** Polling would begin anew each time and know nothing of what the client holds. */
const refuseToPoll: handleUnaryCall<unknown, never> = (_call, callback) => {
  callback({ code: grpcStatus.UNIMPLEMENTED, details: 'polling is not served: use a stream' });
};

const sotw =
  (streams: XdsStreams<unknown>, only?: string): handleBidiStreamingCall<DiscoveryRequest, DiscoveryResponse> =>
  (call) =>
    streams.acceptSotw(call, only);

const delta =
  (streams: XdsStreams<unknown>, only?: string): handleBidiStreamingCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> =>
  (call) =>
    streams.acceptDelta(call, only);

/** Both variants of all types over one stream, in the order that make before break needs. */
export function aggregatedService(streams: XdsStreams<unknown>): GrpcService {
  const handlers = { streamAggregatedResources: sotw(streams), deltaAggregatedResources: delta(streams) };
  return { definition: AggregatedDiscoveryServiceService, handlers };
}

/** Both variants of one type each; without `typeUrls` of every type there is. Between these streams nothing holds an order. */
export function typeServices(streams: XdsStreams<unknown>, typeUrls: readonly string[] = envoyOrder): readonly GrpcService[] {
  return perType
    .filter(({ typeUrl }) => typeUrls.includes(typeUrl))
    .map(({ typeUrl, definition, of }) => ({
      definition,
      handlers: { [`stream${of}`]: sotw(streams, typeUrl), [`delta${of}`]: delta(streams, typeUrl), [`fetch${of}`]: refuseToPoll },
    }));
}
