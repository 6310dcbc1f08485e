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
} as const;

/** What control planes exchange. */
export const peeringTypeUrls = {
  trust: `${peering}PeerTrust`,
  gateway: `${peering}PeerGateway`,
  service: `${peering}ExportedService`,
  endpoint: `${peering}ExportedEndpoint`,
  sourceState: `${peering}SourceState`,
  syncMark: `${peering}SyncMark`,
} as const;

export const heartbeatTypeUrl = 'type.googleapis.com/isthmus.xds.v1.Heartbeat';
export const heartbeatName = 'heartbeat';
export const rejectionsTypeUrl = 'type.googleapis.com/isthmus.xds.v1.Rejections';

/**
 * Make before break: what others refer to comes first. Additions and changes go out in this order, removals after all of
 * them and in reverse. Types that are not listed come last.
 */
export const nativeOrder: readonly string[] = [
  nativeTypeUrls.bundle,
  nativeTypeUrls.cluster,
  nativeTypeUrls.loadAssignment,
  nativeTypeUrls.listener,
  nativeTypeUrls.route,
  nativeTypeUrls.authz,
];

/** Sync marks are no part of the order: one is sent when everything else, removals too, was sent and answered. */
export const peeringOrder: readonly string[] = [
  peeringTypeUrls.trust,
  peeringTypeUrls.gateway,
  peeringTypeUrls.service,
  peeringTypeUrls.endpoint,
  peeringTypeUrls.sourceState,
];
