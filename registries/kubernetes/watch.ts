import type { KubernetesConnection } from '../../core/config/index.ts';
import { MeshError } from '../../core/errors.ts';
import { runGroup } from '../../core/lifecycle.ts';
import type { SourceId } from '../../core/model/index.ts';
import type { AdapterDeps, Emit, RegistryEvent, RegistryRules, RegistrySource } from '../../core/registry/index.ts';
import { reportOnChange, runSource } from '../../core/registry/index.ts';
import type { KubernetesClient } from './client.ts';
import { ClusterState, type Kind, type Kinds } from './cluster-state.ts';
import { projectNode, projectPod, projectService, projectSlice, serviceNameLabel } from './objects.ts';
import { defaultReflectorLimits, Reflector, type ReflectorOptions, type ReflectorSink, type Resource } from './reflector.ts';

export type ReflectorLimits = Partial<Omit<ReflectorOptions, 'clock' | 'random'>>;

/** How soon missing rights to nodes are tried again, plus up to as much, ms. */
const rightsRetryMs = 60_000;

/** One kind in one scope: followed by one reflector, which keeps its place between sessions. */
interface Follower {
  readonly label: string;
  run(emit: Emit, signal: AbortSignal): Promise<void>;
}

/**
 * The services of one Kubernetes API. Objects and versions are kept across outages, so a returning server is asked only for what
 * was missed. Between two events of one service there may be others; each event is what the objects say together.
 */
export class KubernetesSource implements RegistrySource {
  readonly id: SourceId;
  readonly #deps: AdapterDeps;
  readonly #client: KubernetesClient;
  readonly #state: ClusterState;
  readonly #followers: Follower[] = [];
  readonly #synced = new Map<string, string>();
  #announced = false;
  #toldOfNodes = false;
  /** Changes are applied and handed on one at a time, so that two streams never tell of one service in the wrong order. */
  #turn: Promise<void> = Promise.resolve();

  constructor(
    connection: KubernetesConnection,
    rules: RegistryRules,
    client: KubernetesClient,
    deps: AdapterDeps,
    limits: ReflectorLimits,
  ) {
    this.id = deps.id;
    this.#deps = deps;
    this.#client = client;
    this.#state = new ClusterState(rules, reportOnChange(deps));
    const options: ReflectorOptions = { ...defaultReflectorLimits, ...limits, clock: deps.clock, random: deps.random };
    const scopes = connection.namespaces.length === 0 ? [undefined] : connection.namespaces;
    const follow = <K extends Kind>(kind: K, scope: string | undefined, resource: Resource<Kinds[K]>) => {
      this.#followers.push(this.#follower(kind, scope, new Reflector(client, resource, options)));
    };
    for (const scope of scopes) {
      const within = scope === undefined ? '' : `/namespaces/${scope}`;
      follow('services', scope, { path: `/api/v1${within}/services`, project: projectService });
      follow('slices', scope, {
        path: `/apis/discovery.k8s.io/v1${within}/endpointslices`,
        labelSelector: serviceNameLabel,
        project: projectSlice,
      });
      follow('pods', scope, { path: `/api/v1${within}/pods`, project: projectPod });
    }
    follow('nodes', undefined, { path: '/api/v1/nodes', project: projectNode });
  }

  async *watch(signal: AbortSignal): AsyncIterable<RegistryEvent> {
    const { clock, random, log, id } = this.#deps;
    const onFailure = (error: MeshError) => log.warn({ source: id, code: error.code }, error.message);
    try {
      yield* runSource((emit, running) => this.#session(emit, running), { clock, random, onFailure }, signal);
    } finally {
      await this.#client.close();
    }
  }

  async #session(emit: Emit, signal: AbortSignal): Promise<void> {
    this.#synced.clear();
    this.#announced = false;
    await runGroup(
      signal,
      this.#followers.map((follower) => (running) => follower.run(emit, running)),
    );
  }

  #follower<K extends Kind>(kind: K, scope: string | undefined, reflector: Reflector<Kinds[K]>): Follower {
    const label = scope === undefined ? kind : `${kind} of ${scope}`;
    const run = (emit: Emit, signal: AbortSignal) => {
      const cursor = (version: string) => `${kind}@${version}`;
      const sink: ReflectorSink<Kinds[K]> = {
        replace: (items, version) =>
          this.#inTurn(async () => {
            this.#state.replace(kind, scope, items, cursor(version));
            await this.#resynced(label, version, emit);
          }),
        resumed: (version) => this.#inTurn(() => this.#resynced(label, version, emit)),
        put: (item, version) => this.#inTurn(() => this.#emitAll(this.#state.put(kind, item, cursor(version)), emit)),
        remove: (name, version) => this.#inTurn(() => this.#emitAll(this.#state.remove(kind, name, cursor(version)), emit)),
      };
      return kind === 'nodes' ? this.#unlessForbidden(() => reflector.run(sink, signal), label, emit, signal) : reflector.run(sink, signal);
    };
    return { label, run };
  }

  /** Nodes only add localities; users without rights to the whole cluster go without, until they are given some. */
  async #unlessForbidden(run: () => Promise<void>, label: string, emit: Emit, signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#deps;
    while (!signal.aborted) {
      try {
        return await run();
      } catch (error) {
        if (!(error instanceof MeshError) || error.code !== 'REGISTRY_REFUSED') throw error;
        if (!this.#toldOfNodes) log.info({ source: this.id }, `nodes cannot be read, so endpoints get no region: ${error.message}`);
        this.#toldOfNodes = true;
      }
      if (!this.#synced.has(label)) await this.#inTurn(() => this.#resynced(label, '', emit));
      await clock.sleep(rightsRetryMs * (1 + random()), signal);
    }
  }

  /** A resynced reader must be told everything, once all kinds are there. */
  async #resynced(label: string, version: string, emit: Emit): Promise<void> {
    this.#synced.set(label, version);
    if (this.#synced.size < this.#followers.length) return;
    const cursor = [...this.#synced].map(([kind, at]) => `${kind}@${at}`).join(' ');
    this.#announced = true;
    await emit({ kind: 'snapshot', services: this.#state.services(), cursor });
  }

  async #emitAll(events: readonly RegistryEvent[], emit: Emit): Promise<void> {
    if (!this.#announced) return;
    for (const event of events) await emit(event);
  }

  async #inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(run);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}
