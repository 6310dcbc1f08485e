import { formatSpiffeId, gatewayServiceAccount, type NetworkId, type ServiceKey, systemNamespace } from '../../core/model/index.ts';
import type { MergedService } from '../catalog/index.ts';
import { buildIngress, type IngressPlan } from './build-ingress.ts';
import { buildService, compileAuthz } from './build-service.ts';
import { bundleResources } from './bundle-resources.ts';
import { ClassSnapshot } from './class-snapshot.ts';
import { type ClientPlace, clientPlace } from './client-place.ts';
import { meshOwner } from './dialect.ts';
import { findInconsistencies } from './find-inconsistencies.ts';
import type { SnapshotBuilder, SnapshotInputs } from './inputs.ts';
import type { ClientClass, Resource, Snapshot } from './ir.ts';
import { OriginateDemand } from './originate-demand.ts';
import { isGatewayOwner } from './owners.ts';
import { leadsThroughTunnels, tunnelGateways } from './tunnels.ts';

interface ClassState {
  readonly snapshot: ClassSnapshot;
  /** Of this class alone: another class may be fine with the same service. */
  readonly faults: Map<ServiceKey, readonly string[]>;
  /** Services to look at again; `all` after a change that may concern any. */
  dirty: Set<ServiceKey> | 'all';
  /** Of ingress gateways, as of the newest build; undefined: to be made. */
  ingress: IngressPlan | undefined;
}

/** What is the same for all services of one build. */
interface Build {
  readonly state: ClassState;
  /** Of the class without a namespace, up to date: for what is the same for callers of all namespaces. */
  readonly general: ClassSnapshot | undefined;
  readonly now: SnapshotInputs;
  readonly place: ClientPlace;
}

/** Classes that nobody follows any more, kept for a client that comes back: clients name their networks as they like. */
const idleClasses = 8;

/** `onBuild` is told of each service that is built for a class; for tests that count the cost of a change. */
export function createSnapshotBuilder(onBuild?: (service: ServiceKey, client: ClientClass) => void): SnapshotBuilder {
  const classes = new Map<string, ClassState>();
  /** The longest idle first. */
  const idle = new Set<string>();
  let inputs: SnapshotInputs | undefined;

  const demand = new OriginateDemand();

  const buildOne = (key: ServiceKey, { state, now, place, general }: Build): readonly Resource[] => {
    const service = now.view.services.get(key);
    const { client } = state.snapshot;
    const apart = client.namespace !== undefined && now.traffic.service(key)?.callers.has(client.namespace) === true;
    if (general !== undefined && !apart) {
      state.faults.delete(key);
      return general.of(key);
    }
    if (service === undefined || (client.kind === 'ingress' && state.ingress?.services.has(key) !== true)) {
      state.faults.delete(key);
      return [];
    }
    onBuild?.(key, client);
    const built = buildService(service, { client, inputs: now, place, wanted: (cluster) => demand.has(cluster) });
    const wrong = findInconsistencies(built);
    if (wrong.length === 0) {
      state.faults.delete(key);
      return built;
    }
    state.faults.set(key, wrong);
    return state.snapshot.of(key);
  };

  const stateOf = (client: ClientClass): ClassState => {
    const id = idOf(client);
    idle.delete(id);
    const known = classes.get(id);
    if (known !== undefined) return known;
    const state: ClassState = { snapshot: new ClassSnapshot(client), faults: new Map(), dirty: 'all', ingress: undefined };
    classes.set(id, state);
    return state;
  };

  const upToDate = ({ namespace, ...others }: ClientClass, now: SnapshotInputs): ClassSnapshot => {
    const general = namespace === undefined ? undefined : upToDate(others, now);
    const state = stateOf(namespace === undefined ? others : { ...others, namespace });
    bringUpToDate(state, general, now);
    return state.snapshot;
  };

  const bringUpToDate = (state: ClassState, general: ClassSnapshot | undefined, now: SnapshotInputs): void => {
    const changes = new Map<string, readonly Resource[]>();
    if (state.snapshot.client.kind === 'ingress') remakeIngress(state, now, changes);
    const keys = state.dirty === 'all' ? everyKey(state, now) : state.dirty;
    const build = { state, general, now, place: clientPlace(state.snapshot.client, now) };
    for (const key of keys) changes.set(key, buildOne(key, build));
    const mesh = [...bundleResources(now), ...tunnelTargets(state.snapshot.client, now)];
    if (!sameVersions(state.snapshot.of(meshOwner), mesh)) changes.set(meshOwner, mesh);
    if (changes.size > 0) state.snapshot.replace(changes);
    state.dirty = new Set();
  };

  return {
    update(next, services) {
      const touched = inputs === undefined || services === undefined ? 'all' : touchedServices(inputs, next, services);
      const called = followDemand(demand, inputs, next, touched);
      const gateways = inputs?.traffic !== next.traffic;
      inputs = next;
      for (const state of classes.values()) {
        if (touched === 'all' || state.dirty === 'all') state.dirty = 'all';
        else for (const key of state.snapshot.client.kind === 'gateway' ? [...touched, ...called] : touched) state.dirty.add(key);
        if (touched === 'all' || (gateways && next.traffic.changed.gateways.size > 0)) state.ingress = undefined;
      }
    },
    snapshot(client): Snapshot {
      if (inputs === undefined) throw new TypeError('snapshot() before the first update()');
      return upToDate(client, inputs).snapshot();
    },
    release(client) {
      const id = idOf(client);
      if (!classes.has(id)) return;
      idle.delete(id);
      idle.add(id);
      const [longest] = idle;
      if (longest === undefined || idle.size <= idleClasses) return;
      idle.delete(longest);
      classes.delete(longest);
    },
    inputs: () => inputs,
    faults() {
      const all = new Map<ServiceKey, string[]>();
      for (const { faults } of classes.values()) {
        for (const [key, list] of faults) all.set(key, [...new Set([...(all.get(key) ?? []), ...list])].sort());
      }
      return all;
    },
  };
}

function idOf({ kind, network, locality = '', namespace = '', labels }: ClientClass): string {
  const sorted = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([kind, network, locality, namespace, ...(labels === undefined ? [] : [sorted])]);
}

function* everyKey(state: ClassState, now: SnapshotInputs): Iterable<ServiceKey> {
  yield* now.view.services.keys();
  for (const owner of [...state.snapshot.owners()]) {
    if (owner !== meshOwner && !isGatewayOwner(owner) && !now.view.services.has(owner as ServiceKey)) yield owner as ServiceKey;
  }
}

/** Makes the plan of the class anew if it has to be, and looks again at services that are led to since, or no longer. */
function remakeIngress(state: ClassState, now: SnapshotInputs, changes: Map<string, readonly Resource[]>): void {
  if (state.ingress !== undefined) return;
  const plan = buildIngress(state.snapshot.client, now.traffic);
  for (const owner of state.snapshot.owners()) if (isGatewayOwner(owner)) changes.set(owner, []);
  for (const [owner, resources] of plan.resources) changes.set(owner, resources);
  state.ingress = plan;
  if (state.dirty === 'all') return;
  const built = [...state.snapshot.owners()].filter((owner) => owner !== meshOwner && !isGatewayOwner(owner)) as ServiceKey[];
  for (const key of built) if (!plan.services.has(key)) state.dirty.add(key);
  const known = new Set(built);
  for (const key of plan.services) if (!known.has(key)) state.dirty.add(key);
}

/** Services that gateways have to be told more or less of, as the routings of gateway ports lead elsewhere. */
function followDemand(
  demand: OriginateDemand,
  before: SnapshotInputs | undefined,
  next: SnapshotInputs,
  touched: ReadonlySet<ServiceKey> | 'all',
): ReadonlySet<ServiceKey> {
  if (before === undefined || touched === 'all') {
    demand.reset(next);
    return new Set();
  }
  const same = before.traffic === next.traffic && before.gatewayPorts === next.gatewayPorts;
  return same ? new Set() : demand.update(next, touched);
}

/** Services whose resources may differ, given what the catalog says has changed. */
function touchedServices(before: SnapshotInputs, next: SnapshotInputs, services: ReadonlySet<ServiceKey>): ReadonlySet<ServiceKey> | 'all' {
  const general =
    before.hostSuffix !== next.hostSuffix ||
    before.trust.trustDomain !== next.trust.trustDomain ||
    before.originateCidrs !== next.originateCidrs;
  if (general) return 'all';
  const touched = new Set(services);
  if (before.traffic !== next.traffic) for (const key of next.traffic.changed.services) touched.add(key);
  if (before.policies !== next.policies) {
    const rules = (service: MergedService, inputs: SnapshotInputs) => {
      const { rules: who, tokens, mtls } = compileAuthz(service, inputs);
      return JSON.stringify([who, tokens, mtls?.ports]);
    };
    for (const service of next.view.services.values()) if (rules(service, before) !== rules(service, next)) touched.add(service.key);
  }
  if (before.gatewayPorts !== next.gatewayPorts) {
    const text = (list: SnapshotInputs['gatewayPorts']) => new Map(list.map((g) => [`${g.service} ${g.port} ${g.gatewayPort}`, g.service]));
    const [old, now] = [text(before.gatewayPorts), text(next.gatewayPorts)];
    for (const [id, service] of old) if (!now.has(id)) touched.add(service);
    for (const [id, service] of now) if (!old.has(id)) touched.add(service);
  }
  if (before.view.gateways !== next.view.gateways) {
    const networks = new Set<NetworkId>([...before.view.gateways.keys(), ...next.view.gateways.keys()]);
    for (const network of networks) if (before.view.gateways.get(network) === next.view.gateways.get(network)) networks.delete(network);
    if (networks.size > 0) {
      for (const service of next.view.services.values()) {
        const near = service.networks.some((n) => networks.has(n));
        if (near || leadsThroughTunnels(service, next.view)) touched.add(service.key);
      }
    }
  }
  return touched;
}

function tunnelTargets({ kind }: ClientClass, { view, trust: { trustDomain } }: SnapshotInputs): readonly Resource[] {
  const identity = formatSpiffeId({ trustDomain, namespace: systemNamespace, serviceAccount: gatewayServiceAccount });
  return tunnelGateways(kind, view, trustDomain, identity);
}

function sameVersions(before: readonly Resource[], next: readonly Resource[]): boolean {
  return before.length === next.length && next.every(({ version }, i) => before[i]?.version === version);
}
