import type { MigrationSide } from '../../core/config/index.ts';
import { serviceKey } from '../../core/model/index.ts';
import type { Catalog, CatalogEndpoint } from '../catalog/index.ts';
import type { MigrationState, Observation, SidePlaces } from '../migrate/index.ts';
import { belongsTo } from '../routing/index.ts';

/** Both sides with their clusters named: an empty one is the owner's. */
function sidesOf({ spec, cluster }: Pick<MigrationState, 'spec' | 'cluster'>): {
  readonly from: MigrationSide;
  readonly to: MigrationSide;
} {
  const named = (side: MigrationSide) => ({ ...side, cluster: side.cluster === '' ? cluster : side.cluster });
  return { from: named(spec.from), to: named(spec.to) };
}

/** Endpoints of both sides, as callers are told them: what both sources speak of is of the side that is left. */
export function endpointsOf(
  catalog: Catalog,
  state: MigrationState,
): { readonly from: readonly CatalogEndpoint[]; readonly to: readonly CatalogEndpoint[] } {
  const { from, to } = sidesOf(state);
  const all = catalog.current().services.get(serviceKey(state.namespace, state.spec.service))?.endpoints ?? [];
  return {
    from: all.filter((e) => belongsTo({ labels: {}, source: { of: from } }, e)),
    to: all.filter((e) => belongsTo({ labels: {}, source: { of: to, but: from } }, e)),
  };
}

export function placesOf(catalog: Catalog, state: MigrationState): Observation['places'] {
  const sides = sidesOf(state);
  const endpoints = endpointsOf(catalog, state);
  return { from: place(catalog, sides.from, endpoints.from), to: place(catalog, sides.to, endpoints.to) };
}

function place(catalog: Catalog, { cluster, registry }: MigrationSide, endpoints: readonly CatalogEndpoint[]): SidePlaces {
  const source = catalog.status().find((each) => each.cluster === cluster && each.source === registry);
  const state = source?.state === 'live' || source?.state === 'stale' ? source.state : 'unknown';
  return { state, ageMs: source?.ageMs ?? 0, endpoints: endpoints.length, healthy: healthyOf(endpoints) };
}

/** Where nobody is known to be healthy those count of whom nothing is known, as callers try them. */
function healthyOf(endpoints: readonly CatalogEndpoint[]): number {
  const of = (health: CatalogEndpoint['health']) => endpoints.filter((e) => e.health === health).length;
  return of('healthy') > 0 ? of('healthy') : of('unknown');
}
