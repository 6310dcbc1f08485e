export { agentInterest, wantClusters } from './agent-interest.ts';
export { inboundServices } from './describe-mesh.ts';
export { OutboundKeeper } from './outbound-keeper.ts';
