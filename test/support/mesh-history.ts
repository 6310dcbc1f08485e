import { emptyView, nextView } from '../../control/catalog/build-view.ts';
import type { CatalogChange, CatalogView } from '../../control/catalog/index.ts';
import type { CatalogInput } from '../../control/catalog/reducer.ts';
import { initialState, reduce } from '../../control/catalog/reducer.ts';
import type { NetworkId, ServiceKey } from '../../core/model/index.ts';
import { clusterId } from '../../core/model/index.ts';

/** The views of cluster `east` after each input, with what changed since the one before. */
export function historyOf(inputs: readonly CatalogInput[]): readonly Pick<CatalogChange, 'view' | 'services' | 'gateways'>[] {
  let state = initialState(clusterId('east'));
  let view = emptyView(clusterId('east'));
  return inputs.map((input) => {
    const next = reduce(state, input);
    state = next.state;
    const built = nextView(view, state, next.services, next.gateways);
    view = built.view;
    const services: ReadonlySet<ServiceKey> = built.services;
    const gateways: ReadonlySet<NetworkId> = next.gateways;
    return { view, services, gateways };
  });
}

export function viewAfter(inputs: readonly CatalogInput[]): CatalogView {
  return historyOf(inputs).at(-1)?.view ?? emptyView(clusterId('east'));
}
