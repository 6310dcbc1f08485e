import type { CatalogEndpoint } from '../../catalog/index.ts';
import type { OldPlace, SocketTarget } from './contract.ts';

/** Where these endpoints of a service answer, sorted; one for each port that differs. Pure. */
export function oldPlaces(
  endpoints: readonly CatalogEndpoint[],
  { namespace, name }: { readonly namespace: string; readonly name: string },
): readonly OldPlace[] {
  return endpoints
    .flatMap(({ cluster, instance, network, address, ports, tlsMode }) => {
      const behind = tlsMode === 'mesh' ? { behindAgent: { namespace, name } } : {};
      return [...new Set(Object.values(ports))].map((port): OldPlace => ({ cluster, instance, network, address, port, ...behind }));
    })
    .sort((a, b) => (placeKey(a) < placeKey(b) ? -1 : 1));
}

/** Those that are there now, and those that were and are not any more. Pure. */
export function withGone(now: readonly OldPlace[], before: readonly OldPlace[]): readonly OldPlace[] {
  const there = new Set(now.map(placeKey));
  return [...now, ...before.filter((place) => !there.has(placeKey(place))).map((place) => ({ ...place, gone: true as const }))];
}

/** What has to be asked of agents to know who calls these places. Pure; every target once. */
export function socketTargets(places: readonly OldPlace[]): readonly SocketTarget[] {
  const targets = places.map(({ network, instance, address, port, behindAgent }): SocketTarget => {
    if (behindAgent !== undefined) return { network, instance, watch: { address: '', port: 0, ...behindAgent } };
    return { network, watch: { address, port, namespace: '', name: '' } };
  });
  return [...new Map(targets.map((target) => [JSON.stringify(target), target])).values()];
}

export function placeKey({ cluster, instance, network, address, port }: OldPlace): string {
  return `${cluster}/${instance}|${network}|${address}|${port}`;
}
