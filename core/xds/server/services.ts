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
import { envoyTypeUrls } from '../type-urls.ts';
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

/**
 * The aggregated service and those of one type each, both variants. Nothing holds an order between streams of one type each:
 * make before break needs the aggregated one.
 */
export function xdsServices(streams: XdsStreams<unknown>): readonly GrpcService[] {
  const sotw =
    (only?: string): handleBidiStreamingCall<DiscoveryRequest, DiscoveryResponse> =>
    (call) =>
      streams.acceptSotw(call, only);
  const delta =
    (only?: string): handleBidiStreamingCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> =>
    (call) =>
      streams.acceptDelta(call, only);
  const aggregated = { streamAggregatedResources: sotw(), deltaAggregatedResources: delta() };
  const single = perType.map(({ typeUrl, definition, of }) => ({
    definition,
    handlers: { [`stream${of}`]: sotw(typeUrl), [`delta${of}`]: delta(typeUrl), [`fetch${of}`]: refuseToPoll },
  }));
  return [{ definition: AggregatedDiscoveryServiceService, handlers: aggregated }, ...single];
}
