import { createHash } from 'node:crypto';
import type { TunnelTarget } from './contract.ts';

/**
 * The gateways that an instance keeps tunnels to: of each cluster the first `count` by a hash of both names, so that instances spread
 * evenly, each stays where it is when others come and go, and those of a gateway that is lost spread over all that are left. Those that
 * drain, and those that `held` names (they were tried in vain just now), take no part. Pure.
 */
export function chooseGateways(
  targets: readonly TunnelTarget[],
  instance: string,
  count: number,
  held: ReadonlySet<string>,
): readonly TunnelTarget[] {
  const chosen: TunnelTarget[] = [];
  const taken = new Map<string, number>();
  const ranked = targets
    .filter(({ name, draining, addresses }) => !draining && !held.has(name) && addresses.length > 0)
    .map((target) => ({ target, rank: createHash('sha256').update(`${instance}\n${target.name}`).digest('hex') }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  for (const { target } of ranked) {
    const cluster = target.name.split('/')[0] ?? '';
    const of = taken.get(cluster) ?? 0;
    if (of >= count) continue;
    taken.set(cluster, of + 1);
    chosen.push(target);
  }
  return chosen;
}
