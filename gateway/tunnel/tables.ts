import type { ClusterTable, SniRule } from '../engine/index.ts';
import type { DataPlaneState, TunnelGatewayState } from '../state/index.ts';
import { type TunnelOffer, type TunnelTarget, tunnelKey } from './contract.ts';
import { tunnelAlpn, tunnelSni } from './greeting.ts';

/** What a gateway that holds tunnels has besides its routes. */
export const tunnelRule: readonly [string, SniRule] = [tunnelSni, { mode: 'tunnel', alpn: tunnelAlpn }];

const known = new WeakMap<DataPlaneState['assignments'], ReadonlyMap<string, TunnelOffer>>();

/** Who may begin a tunnel here: whoever an endpoint says that it is reached through. By `tunnelKey`. */
export function tunnelOffers({ assignments }: Pick<DataPlaneState, 'assignments'>): ReadonlyMap<string, TunnelOffer> {
  const made = known.get(assignments);
  if (made !== undefined) return made;
  const offers = new Map<string, TunnelOffer>();
  for (const { endpoints } of assignments.values()) {
    for (const { tunnel } of endpoints) if (tunnel !== undefined) offers.set(tunnelKey(tunnel), tunnel);
  }
  known.set(assignments, offers);
  return offers;
}

/** Without the endpoints whose tunnel is not held here: their callers are to try another gateway at once. Pure. */
export function withHeldTunnels(clusters: ReadonlyMap<string, ClusterTable>, isHeld: (key: string) => boolean): Map<string, ClusterTable> {
  const out = new Map<string, ClusterTable>();
  for (const [name, cluster] of clusters) {
    const held = cluster.endpoints.filter(({ tunnel }) => tunnel === undefined || isHeld(tunnelKey(tunnel)));
    out.set(name, held.length === cluster.endpoints.length ? cluster : { ...cluster, endpoints: held });
  }
  return out;
}

export function tunnelTargets({ tunnelGateways }: Pick<DataPlaneState, 'tunnelGateways'>): readonly TunnelTarget[] {
  return [...tunnelGateways.values()].map(({ name, addresses, port, tls, draining }: TunnelGatewayState) => ({
    name,
    addresses,
    port,
    tls,
    draining,
  }));
}
