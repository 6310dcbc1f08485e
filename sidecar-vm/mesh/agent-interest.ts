import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { nativeTypeUrls } from '../../core/xds/index.ts';
import type { DataPlaneState, Interest, StateFeed } from '../../gateway/index.ts';
import { type AgentOptions, discoveryOf } from '../options.ts';
import { loadInterest } from './interest-file.ts';
import { defaultInterestLimits, NameInterest } from './name-interest.ts';

/** What the configuration names and the last run kept; undefined where everything is of interest. A file that cannot be used is said. */
export async function openNames(options: AgentOptions, file: string, clock: Clock, log: Log): Promise<OpenedNames | undefined> {
  if (discoveryOf(options) === 'all') return undefined;
  const names = new NameInterest({ ...defaultInterestLimits, forgetMs: options.forgetAfterMs });
  const explicit = Object.keys(options.outbound.explicit).map((key) => key.slice(0, key.lastIndexOf(':')).toLowerCase());
  names.configure(new Set([...explicit, ...Object.keys(options.capture?.addresses ?? {})]));
  const { idle, fault } = await loadInterest(file);
  if (fault !== undefined) log.warn({ file, fault }, 'what this machine called is refused: all that is known of the mesh counts as called');
  if (idle !== undefined) names.restore(idle, clock.monotonic());
  return { names, fresh: idle === undefined };
}

export interface OpenedNames {
  readonly names: NameInterest;
  /** Nothing was kept, as before the first run with discovery on demand. */
  readonly fresh: boolean;
}

/** What an agent asks for: trust, and the names that are of interest; of what leads to them, and of policy, only what it needs. */
export function agentInterest(
  kept: DataPlaneState,
  services: readonly string[],
  opened: OpenedNames | undefined,
  now: number,
  tunnels: boolean,
): ReadonlyMap<string, Interest> {
  // Programs of this machine may have addresses of these.
  if (opened?.fresh === true) opened.names.restore(new Map([...kept.listeners.keys()].map((host) => [host, 0])), now);
  const clusters = new Set(kept.clusters.keys());
  return new Map<string, Interest>([
    [nativeTypeUrls.bundle, '*'],
    [nativeTypeUrls.telemetry, '*'],
    [nativeTypeUrls.listener, opened?.names.names() ?? '*'],
    [nativeTypeUrls.authz, new Set(services)],
    [nativeTypeUrls.cluster, clusters],
    [nativeTypeUrls.loadAssignment, clusters],
    [nativeTypeUrls.routing, new Set(kept.routings.keys())],
    ...(tunnels ? [[nativeTypeUrls.tunnelGateway, '*'] as const] : []),
  ]);
}

/** What listeners lead to, all of it. */
export interface Wanted {
  readonly routings: ReadonlySet<string>;
  readonly clusters: ReadonlySet<string>;
}

export function want(feed: StateFeed, { routings, clusters }: Wanted): void {
  feed.want(nativeTypeUrls.routing, routings);
  for (const typeUrl of [nativeTypeUrls.cluster, nativeTypeUrls.loadAssignment]) feed.want(typeUrl, clusters);
}
