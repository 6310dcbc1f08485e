export { adsTrust } from './ads-trust.ts';
export type { RestoredState, SavedAge } from './disk.ts';
export { loadState, saveState } from './disk.ts';
export type { Interest, StateFeedOptions } from './feed.ts';
export { StateFeed } from './feed.ts';
export { StateStore } from './store.ts';
export type {
  AssignmentState,
  AuthzState,
  ClusterState,
  DataPlaneState,
  EndpointState,
  IngressListenerState,
  ListenerState,
  RouteState,
  ServiceListenerState,
  TunnelGatewayState,
  UpstreamTls,
} from './types.ts';
export { emptyState } from './types.ts';
