import { nativeTypeUrls } from '../../core/xds/index.ts';
import type { DataPlaneState, Interest, StateFeed } from '../../gateway/index.ts';

/** What an agent asks for: trust and names; of what leads to them, and of policy, only what this machine needs. */
export function agentInterest(kept: DataPlaneState, services: readonly string[]): ReadonlyMap<string, Interest> {
  const clusters = new Set(kept.clusters.keys());
  return new Map<string, Interest>([
    [nativeTypeUrls.bundle, '*'],
    [nativeTypeUrls.listener, '*'],
    [nativeTypeUrls.authz, new Set(services)],
    [nativeTypeUrls.cluster, clusters],
    [nativeTypeUrls.loadAssignment, clusters],
  ]);
}

/** The xDS clusters whose endpoints are wanted, all of them. */
export function wantClusters(feed: StateFeed, clusters: ReadonlySet<string>): void {
  for (const typeUrl of [nativeTypeUrls.cluster, nativeTypeUrls.loadAssignment]) feed.want(typeUrl, clusters);
}
