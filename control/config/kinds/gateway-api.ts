import { dnsName } from '../schema/fields.ts';
import { gatewaySchema, toGateway } from '../schema/gateway-api/gateway.ts';
import { grpcRouteSchema, toGrpcRoute } from '../schema/gateway-api/grpc-route.ts';
import { httpRouteSchema, toHttpRoute } from '../schema/gateway-api/http-route.ts';
import { tcpRouteSchema, tlsRouteSchema, toTcpRoute, toTlsRoute } from '../schema/gateway-api/l4-route.ts';
import { referenceGrantSchema, toReferenceGrant } from '../schema/gateway-api/reference-grant.ts';
import { gatewayApiGroup } from '../schema/gateway-api/values.ts';
import { type KindRow, kindRow } from './row.ts';

const named = { group: gatewayApiGroup, namespaced: true, name: dnsName } as const;

/** Routes and grants hold wherever callers run. */
const everywhere = { ...named, scope: 'mesh' } as const;

/** The Gateway API's kinds, as they are. Listeners are on machines of one cluster, and so is a Gateway. */
export const gatewayApiKinds: readonly KindRow[] = [
  kindRow({ ...named, scope: 'cluster', kind: 'Gateway', versions: ['v1', 'v1beta1'], schema: gatewaySchema, to: toGateway }),
  kindRow({ ...everywhere, kind: 'HTTPRoute', versions: ['v1', 'v1beta1'], schema: httpRouteSchema, to: toHttpRoute }),
  kindRow({ ...everywhere, kind: 'GRPCRoute', versions: ['v1'], schema: grpcRouteSchema, to: toGrpcRoute }),
  kindRow({ ...everywhere, kind: 'TLSRoute', versions: ['v1', 'v1alpha3', 'v1alpha2'], schema: tlsRouteSchema, to: toTlsRoute }),
  kindRow({ ...everywhere, kind: 'TCPRoute', versions: ['v1', 'v1alpha2'], schema: tcpRouteSchema, to: toTcpRoute }),
  kindRow({ ...everywhere, kind: 'ReferenceGrant', versions: ['v1', 'v1beta1'], schema: referenceGrantSchema, to: toReferenceGrant }),
];
