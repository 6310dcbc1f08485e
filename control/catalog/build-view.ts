import { isDeepStrictEqual } from 'node:util';
import type { ClusterId, NetworkId, ServiceKey } from '../../core/model/index.ts';
import { gatewaysByNetwork } from './gateways.ts';
import { mergeName } from './merge.ts';
import { PersistentMap } from './persistent-map.ts';
import type { CatalogState } from './reducer.ts';
import type { Shard } from './shard.ts';
import { compareText } from './shard.ts';
import type { CatalogView, MergedService, SourceStatus, Withheld } from './view.ts';

/** The view with its maps as they are made: for the catalog itself. */
interface BuiltView extends CatalogView {
  readonly services: PersistentMap<ServiceKey, MergedService>;
  readonly local: PersistentMap<ServiceKey, MergedService>;
  readonly withheld: PersistentMap<ServiceKey, readonly Withheld[]>;
}

export type { BuiltView };

export function emptyView(cluster: ClusterId): BuiltView {
  return {
    revision: 0,
    cluster,
    services: PersistentMap.empty(),
    local: PersistentMap.empty(),
    withheld: PersistentMap.empty(),
    gateways: new Map(),
    sources: [],
  };
}

export interface NextView {
  readonly view: BuiltView;
  /** Those of `names` that really differ. */
  readonly services: ReadonlySet<ServiceKey>;
}

/** Merges `names` again and shares the rest. The same state gives the same view, whatever way led to it. */
export function nextView(before: BuiltView, state: CatalogState, names: Iterable<ServiceKey>, networks: ReadonlySet<NetworkId>): NextView {
  const services: [ServiceKey, MergedService | undefined][] = [];
  const local: [ServiceKey, MergedService | undefined][] = [];
  const withheld: [ServiceKey, readonly Withheld[] | undefined][] = [];
  for (const key of names) {
    const merged = mergeName(state, key);
    const service = shared(before.services.get(key), merged.service);
    const own = merged.local === merged.service ? service : shared(before.local.get(key), merged.local);
    services.push([key, service]);
    local.push([key, own]);
    withheld.push([key, merged.withheld.length === 0 ? undefined : shared(before.withheld.get(key), merged.withheld)]);
  }
  const view: BuiltView = {
    revision: before.revision + 1,
    cluster: state.cluster,
    services: before.services.with(services),
    local: before.local.with(local),
    withheld: before.withheld.with(withheld),
    gateways: networks.size === 0 ? before.gateways : nextGateways(before.gateways, state, networks),
    sources: statuses(state),
  };
  const changed = before.services.changedKeys(view.services);
  for (const key of before.local.changedKeys(view.local)) changed.add(key);
  for (const key of before.withheld.changedKeys(view.withheld)) changed.add(key);
  return { view, services: changed };
}

function shared<T>(before: T | undefined, after: T): T {
  return before !== undefined && isDeepStrictEqual(before, after) ? before : after;
}

/** Networks whose gateways stayed keep their list, as callers compare by `===`. */
function nextGateways(before: CatalogView['gateways'], state: CatalogState, networks: ReadonlySet<NetworkId>): CatalogView['gateways'] {
  const next = new Map(gatewaysByNetwork(state.gateways));
  for (const [network, list] of before) if (!networks.has(network) && next.has(network)) next.set(network, list);
  return next;
}

function statuses(state: CatalogState): readonly SourceStatus[] {
  return [...state.shards.values()].map(statusOf).sort((a, b) => compareText(a.cluster, b.cluster) || compareText(a.source, b.source));
}

function statusOf(shard: Shard): SourceStatus {
  return {
    cluster: shard.cluster,
    source: shard.source,
    ...(shard.scope.runtime === undefined ? {} : { runtime: shard.scope.runtime }),
    state: shard.state,
    restored: shard.restored,
    epoch: shard.epoch,
    revision: shard.revision,
    cursor: shard.cursor,
    since: shard.since,
    ...(shard.dataAt === undefined ? {} : { dataAt: shard.dataAt }),
    services: shard.services.size,
    endpoints: shard.endpoints,
    ...(shard.error === undefined ? {} : { error: shard.error }),
    ...(shard.refused.size === 0 ? {} : { refused: refusals(shard) }),
  };
}

function refusals(shard: Shard): readonly string[] {
  return [...shard.refused.values()].flat().sort(compareText).slice(0, 10);
}
