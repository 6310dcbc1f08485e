import { serviceKey } from '../../../core/model/index.ts';
import type { CatalogView } from '../../catalog/index.ts';
import type { OldPlace, SocketTarget } from './contract.ts';

/** The places of one side of a service, sorted; one for each port that differs. `cluster` is never empty. Pure. */
export function oldPlaces(
  view: CatalogView,
  service: { readonly namespace: string; readonly name: string },
  side: { readonly cluster: string; readonly registry: string },
): readonly OldPlace[] {
  const { namespace, name } = service;
  const endpoints = view.services.get(serviceKey(namespace, name))?.endpoints ?? [];
  return endpoints
    .filter((endpoint) => endpoint.cluster === side.cluster && endpoint.source === side.registry)
    .flatMap(({ cluster, instance, network, address, ports, tlsMode }) => {
      const behind = tlsMode === 'mesh' ? { behindAgent: { namespace, name } } : {};
      return [...new Set(Object.values(ports))].map((port): OldPlace => ({ cluster, instance, network, address, port, ...behind }));
    })
    .sort((a, b) => (placeKey(a) < placeKey(b) ? -1 : 1));
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
