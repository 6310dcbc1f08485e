import type { PeerStatus } from '../../core/admin/index.ts';
import type { ExportPolicyObject, MeshSpec, RegistryObject } from '../../core/config/index.ts';
import { parseSpiffeId, principalOf } from '../../core/model/index.ts';
import { addCounts, latencyQuantile, noCounts } from '../../core/telemetry/index.ts';
import { isSuperseded, type MigrationState } from '../migrate/index.ts';
import type { ClientFact, MigrationFact, PreflightFacts, RegistryFact, SeenTraffic } from '../migrate/preflight/index.ts';
import type { Policy } from '../policy/index.ts';
import type { Instances } from '../registration/index.ts';
import type { SnapshotInputs } from '../snapshot/index.ts';
import { countedOnce } from '../telemetry/traffic/index.ts';
import type { XdsClientStatus } from '../xds/index.ts';
import { trafficObjectsOf } from './config-objects.ts';
import { idOf } from './sources.ts';
import type { TrafficHome } from './traffic.ts';

/** Where a preflight finds out what it judges by. */
export interface FactSources {
  readonly mesh: MeshSpec;
  readonly inputs: () => SnapshotInputs;
  readonly policies: () => readonly Policy[];
  readonly objects: () => Parameters<typeof trafficObjectsOf>[0];
  readonly exports: () => readonly ExportPolicyObject[];
  readonly peers: () => readonly PeerStatus[];
  /** Whose services and identities each peer may bring. */
  readonly peerNamespaces: () => ReadonlyMap<string, readonly string[]>;
  readonly registries: () => readonly RegistryObject[];
  readonly traffic: TrafficHome;
  readonly clients: () => readonly XdsClientStatus[];
  readonly instances: Instances;
  readonly migrations: () => readonly MigrationState[];
  readonly freeze: () => { readonly by: string; readonly reason: string } | null;
}

/** Rates of an hour ago say nothing of how long a step has to bake. */
const recentMs = 5 * 60_000;
/** What is seen for less has just begun, and its rate is not known: counts are kept in slots of half as long. */
const shortestMs = 60_000;

/** Everything at one moment. Rejects as the store does. */
export async function factsFor(namespace: string, service: string, sources: FactSources): Promise<PreflightFacts> {
  const { mesh, inputs, policies, objects, exports, traffic, migrations, freeze } = sources;
  const { view, traffic: model, gatewayPorts } = inputs();
  const namespaces = sources.peerNamespaces();
  return {
    view,
    trustDomain: mesh.trustDomain,
    hostSuffix: mesh.hostSuffix,
    policies: policies(),
    traffic: model,
    objects: trafficObjectsOf(objects()),
    exports: exports(),
    peers: sources.peers().map(({ cluster, state }) => ({
      cluster,
      namespaces: namespaces.get(cluster) ?? ['*'],
      connected: state === 'connected',
    })),
    registries: sources.registries().map(registryFact),
    calls: traffic.flows(),
    seen: seenOf(namespace, service, traffic),
    migrations: migrations().map(migrationFact),
    freeze: freeze(),
    limit: mesh.migrations.maxConcurrent,
    clients: sources.clients().map(clientFact),
    gatewayPorts: gatewayPorts.map(({ service: key, port }) => ({ service: key, port })),
    originateSources: mesh.originate.sources.map(({ name }) => name),
    socketAgents: await socketAgents(sources.instances),
  };
}

function migrationFact(state: MigrationState, _: number, all: readonly MigrationState[]): MigrationFact {
  const { namespace, name, spec, phase, weight, released = false } = state;
  return { namespace, name, spec, phase, weight, released: released || isSuperseded(state, all) };
}

function registryFact(object: RegistryObject): RegistryFact {
  const { type, publish, rules } = object.spec;
  return { id: idOf(object), type, publish, rules, takeover: object.spec.takeover ?? false };
}

function clientFact({ id, identity, kind, dialect, network, anchors }: XdsClientStatus): ClientFact {
  const spiffeId = parseSpiffeId(identity);
  const trusted = dialect === 'grpc' ? { anchors } : {};
  return { id, principal: spiffeId === undefined ? identity : principalOf(spiffeId), kind, dialect, network, ...trusted };
}

/** Any agent reads the table of its machine, whatever it serves there. */
async function socketAgents(instances: Instances): Promise<PreflightFacts['socketAgents']> {
  const all = await instances.list();
  return all.flatMap(({ record: { role, network, addresses, expired } }) =>
    role === 'workload' && !expired ? addresses.map((address) => ({ network, address })) : [],
  );
}

/** Undefined: nothing was seen lately, or not for long enough. */
function seenOf(namespace: string, service: string, { store }: TrafficHome): SeenTraffic | undefined {
  const flows = countedOnce(store.flows(recentMs, ({ destination: to }) => to.namespace === namespace && to.name === service));
  if (flows.length === 0) return undefined;
  const counts = noCounts();
  for (const flow of flows) addCounts(counts, flow.counts);
  const firstAt = Math.min(...flows.map((flow) => flow.firstAt));
  const lastAt = Math.max(...flows.map((flow) => flow.lastAt));
  if (lastAt - firstAt < shortestMs) return undefined;
  const seconds = (lastAt - firstAt) / 1_000;
  const { requests, connections, codes, latency, latencySumMs } = counts;
  const errors = [...codes].reduce((sum, [code, n]) => sum + (code === 0 || code >= 500 ? n : 0), 0);
  const at = (q: number) => latencyQuantile(latency, q) ?? null;
  // Little's law: requests at once, on average.
  const inFlight = requests === 0 ? null : latencySumMs / 1_000 / seconds;
  return { seconds, requests, connections, errors, p50: at(0.5), p90: at(0.9), p99: at(0.99), inFlight };
}
