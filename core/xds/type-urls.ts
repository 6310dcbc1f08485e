const native = 'type.googleapis.com/isthmus.native.v1.';
const peering = 'type.googleapis.com/isthmus.peering.v1.';

/** The native dialect's resource types. */
export const nativeTypeUrls = {
  bundle: `${native}Bundle`,
  cluster: `${native}Cluster`,
  loadAssignment: `${native}LoadAssignment`,
  listener: `${native}Listener`,
  route: `${native}Route`,
  authz: `${native}Authz`,
  routing: `${native}Routing`,
  telemetry: `${native}Telemetry`,
  tunnelGateway: `${native}TunnelGateway`,
} as const;

const envoy = 'type.googleapis.com/envoy.';

/** Envoy's own, of the envoy and the grpc dialect. */
export const envoyTypeUrls = {
  secret: `${envoy}extensions.transport_sockets.tls.v3.Secret`,
  cluster: `${envoy}config.cluster.v3.Cluster`,
  loadAssignment: `${envoy}config.endpoint.v3.ClusterLoadAssignment`,
  listener: `${envoy}config.listener.v3.Listener`,
  route: `${envoy}config.route.v3.RouteConfiguration`,
} as const;

/** What control planes exchange. */
export const peeringTypeUrls = {
  trust: `${peering}PeerTrust`,
  gateway: `${peering}PeerGateway`,
  service: `${peering}ExportedService`,
  endpoint: `${peering}ExportedEndpoint`,
  sourceState: `${peering}SourceState`,
  sharedObject: `${peering}SharedObject`,
  tentativeObject: `${peering}TentativeObject`,
  objectsState: `${peering}ObjectsState`,
  heldObject: `${peering}HeldObject`,
  syncMark: `${peering}SyncMark`,
} as const;

export const heartbeatTypeUrl = 'type.googleapis.com/isthmus.xds.v1.Heartbeat';
export const heartbeatName = 'heartbeat';
export const rejectionsTypeUrl = 'type.googleapis.com/isthmus.xds.v1.Rejections';

/** How resources of one type are carried. */
export interface TypeRule {
  readonly typeUrl: string;
  /**
   * Additions and changes go out once those of all types before were answered. Otherwise it is enough that they were sent,
   * for a client that takes one response after the other and is never asked back.
   */
  readonly afterAnswers?: true;
  /** So it waits for nothing either. It must not: Envoy answers clusters only once their endpoints have come. */
  readonly refersToNothing?: true;
  /** An empty first request asks for nothing. For all other types it asks for everything (xDS transport: legacy wildcard). */
  readonly namedOnly?: true;
  /** State of the world: a response holds every resource of the type, and what it leaves out is deleted. Others hold what changed. */
  readonly whole?: true;
  /** The type whose resources Envoy wants again, unchanged too, whenever a resource of this one that names them changes: it warms with them. */
  readonly warmsWith?: typeof envoyTypeUrls.loadAssignment;
}

/**
 * Make before break: what others refer to comes first. Additions and changes go out in this order, removals after all of
 * them and in reverse. Types that are not listed come last. A client asks for types of its own dialect only.
 */
export const typeRules: readonly TypeRule[] = [
  { typeUrl: nativeTypeUrls.bundle },
  { typeUrl: nativeTypeUrls.cluster },
  { typeUrl: nativeTypeUrls.loadAssignment },
  { typeUrl: nativeTypeUrls.routing },
  { typeUrl: nativeTypeUrls.listener },
  { typeUrl: nativeTypeUrls.route },
  { typeUrl: nativeTypeUrls.authz },
  { typeUrl: nativeTypeUrls.telemetry },
  { typeUrl: nativeTypeUrls.tunnelGateway },
  { typeUrl: envoyTypeUrls.secret, namedOnly: true, refersToNothing: true },
  { typeUrl: envoyTypeUrls.cluster, whole: true, warmsWith: envoyTypeUrls.loadAssignment },
  { typeUrl: envoyTypeUrls.loadAssignment, namedOnly: true, refersToNothing: true },
  { typeUrl: envoyTypeUrls.listener, whole: true, afterAnswers: true },
  { typeUrl: envoyTypeUrls.route, namedOnly: true, afterAnswers: true },
];

const rules = new Map(typeRules.map((rule) => [rule.typeUrl, rule]));

export function ruleOf(typeUrl: string): TypeRule {
  return rules.get(typeUrl) ?? { typeUrl };
}

const orderOf = (dialect: string) => typeRules.map((rule) => rule.typeUrl).filter((typeUrl) => typeUrl.startsWith(dialect));

export const nativeOrder: readonly string[] = orderOf(native);
export const envoyOrder: readonly string[] = orderOf(envoy);

/** Sync marks are no part of the order: one is sent when everything else, removals too, was sent and answered. */
export const peeringOrder: readonly string[] = [
  peeringTypeUrls.trust,
  peeringTypeUrls.gateway,
  peeringTypeUrls.service,
  peeringTypeUrls.endpoint,
  peeringTypeUrls.sourceState,
  // Before what it is about, so that nothing unconfirmed is held without its deadline.
  peeringTypeUrls.tentativeObject,
  peeringTypeUrls.sharedObject,
  peeringTypeUrls.objectsState,
  peeringTypeUrls.heldObject,
];
