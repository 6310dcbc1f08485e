export type { OpenedNames } from './agent-interest.ts';
export { agentInterest, openNames, want } from './agent-interest.ts';
export { inboundServices } from './describe-mesh.ts';
export { NameDiscovery } from './name-discovery.ts';
export { OutboundKeeper } from './outbound-keeper.ts';
export { routingNames, SettledState } from './settled-state.ts';
