import { isDeepStrictEqual } from 'node:util';
import type { ClusterId, NetworkId } from '../../core/model/index.ts';
import { compareText } from './shard.ts';
import type { GatewayRecord } from './view.ts';

/** By (cluster, network, instance), each once, addresses sorted. */
export function sortedGateways(list: readonly GatewayRecord[]): readonly GatewayRecord[] {
  const byKey = new Map(list.map((g) => [`${g.network}/${g.instance}`, { ...g, addresses: [...new Set(g.addresses)].sort(compareText) }]));
  return [...byKey.values()].sort(
    (a, b) => compareText(a.cluster, b.cluster) || compareText(a.network, b.network) || compareText(a.instance, b.instance),
  );
}

export function sameGateways(a: readonly GatewayRecord[], b: readonly GatewayRecord[]): boolean {
  return isDeepStrictEqual(a, b);
}

export function touchedNetworks(before: readonly GatewayRecord[], after: readonly GatewayRecord[]): ReadonlySet<NetworkId> {
  const networks = new Set([...before, ...after].map((g) => g.network));
  for (const network of networks) {
    const of = (list: readonly GatewayRecord[]) => list.filter((g) => g.network === network);
    if (sameGateways(of(before), of(after))) networks.delete(network);
  }
  return networks;
}

export function gatewaysByNetwork(
  gateways: ReadonlyMap<ClusterId, readonly GatewayRecord[]>,
): ReadonlyMap<NetworkId, readonly GatewayRecord[]> {
  const all = new Map<NetworkId, GatewayRecord[]>();
  for (const cluster of [...gateways.keys()].sort(compareText)) {
    for (const gateway of gateways.get(cluster) ?? []) {
      const list = all.get(gateway.network);
      if (list === undefined) all.set(gateway.network, [gateway]);
      else list.push(gateway);
    }
  }
  return all;
}
