export { inboundServices } from './describe-mesh.ts';
export type { MeshFeedOptions } from './mesh-feed.ts';
export { MeshFeed } from './mesh-feed.ts';
export { OutboundKeeper } from './outbound-keeper.ts';
