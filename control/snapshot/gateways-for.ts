import type { NetworkId } from '../../core/model/index.ts';
import type { CatalogView, GatewayRecord } from '../catalog/index.ts';

/** Gateways that take traffic for endpoints of this cluster and network: healthy ones, or all when none is known to be. */
export function gatewaysFor(view: Pick<CatalogView, 'gateways'>, cluster: string, network: NetworkId): readonly GatewayRecord[] {
  const all = (view.gateways.get(network) ?? []).filter((g) => g.cluster === cluster && !g.draining && g.addresses.length > 0);
  const healthy = all.filter((g) => g.healthy);
  return healthy.length > 0 ? healthy : all;
}

/** Gateways of a peer's network that nobody can dial; none where one can be dialled, as that is the shorter way. */
export function siteGateways(view: Pick<CatalogView, 'gateways'>, cluster: string, network: NetworkId): readonly GatewayRecord[] {
  if (gatewaysFor(view, cluster, network).length > 0) return [];
  return natted(view, cluster, network);
}

/** Gateways of a network that peers cannot dial, whether or not others can. */
export function natted(view: Pick<CatalogView, 'gateways'>, cluster: string, network: NetworkId): readonly GatewayRecord[] {
  return (view.gateways.get(network) ?? []).filter((g) => g.cluster === cluster && g.tunnel !== undefined && !g.draining);
}
