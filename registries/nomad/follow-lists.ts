import { toMeshError } from '../../core/errors.ts';
import { childController, isAborted, runGroup } from '../../core/lifecycle.ts';
import { blockingQuery } from '../../core/registry/index.ts';
import type { Blocking, Indexed, ServiceName } from './client.ts';
import { readRegistrations } from './read-all.ts';
import type { NomadNode } from './schema.ts';
import type { NativeService } from './state.ts';
import type { FollowContext, NomadView } from './view.ts';

/** While blocking queries stand in for the event stream, it is tried again this often, ms. */
const retryStreamMs = 300_000;

type Outcome = 'went-back' | 'read';

/** Nomad's three lists: services with their registrations, allocations, and nodes where the token may read them. */
export class NomadLists {
  readonly #context: FollowContext;
  readonly #view: NomadView;
  #index = { services: 0, allocations: 0, nodes: 0 };
  #readsNodes = true;

  constructor(context: FollowContext, view: NomadView) {
    this.#context = context;
    this.#view = view;
  }

  get readsNodes(): boolean {
    return this.#readsNodes;
  }

  /** Finds out whether nodes may be read. */
  async learnRights(signal: AbortSignal): Promise<boolean> {
    await this.#listNodes(signal);
    return this.#readsNodes;
  }

  /** Reads all three and publishes what is different. `went-back`: an index is lower than it was. */
  async read(signal: AbortSignal): Promise<Outcome> {
    const { client } = this.#context;
    const [services, allocations, nodes] = await Promise.all([
      client.listServices(signal),
      client.listAllocations(signal),
      this.#listNodes(signal),
    ]);
    const before = this.#index;
    if (services.index < before.services || allocations.index < before.allocations || nodes.index < before.nodes) return 'went-back';
    const touched = new Set([
      ...this.#view.state.setNodes(nodes.value, nodes.index),
      ...this.#view.state.setAllocations(allocations.value, allocations.index),
      ...(await this.#readServices(services, signal)),
    ]);
    this.#index = { services: services.index, allocations: allocations.index, nodes: nodes.index };
    this.#view.sawIndex(Math.max(services.index, allocations.index, nodes.index));
    await this.#view.publish(touched);
    return 'read';
  }

  /** Follows all three with blocking queries for a while, after `onStart` once they could be read. */
  async follow(parent: AbortSignal, onStart: () => void): Promise<Outcome> {
    const first = await this.read(parent);
    if (first === 'went-back') return first;
    onStart();
    if (!this.#view.hasSnapshot) await this.#view.snapshot();
    const { client, deps } = this.#context;
    const { state } = this.#view;
    const { controller, release } = childController(parent);
    let outcome: Outcome = 'read';
    const end = () => {
      outcome = 'went-back';
      controller.abort();
    };
    try {
      await runGroup(controller.signal, [
        (s) =>
          this.#followOne(
            'services',
            s,
            end,
            (b) => client.listServices(s, b),
            (list) => this.#readServices(list, s),
          ),
        (s) =>
          this.#followOne(
            'allocations',
            s,
            end,
            (b) => client.listAllocations(s, b),
            async (l) => state.setAllocations(l.value, l.index),
          ),
        (s) =>
          this.#followOne(
            'nodes',
            s,
            end,
            (b) => this.#listNodes(s, b),
            async (l) => state.setNodes(l.value, l.index),
          ),
        (s) => deps.clock.sleep(retryStreamMs, s).then(() => controller.abort()),
      ]);
    } finally {
      release();
    }
    return outcome;
  }

  async #followOne<T>(
    list: 'services' | 'allocations' | 'nodes',
    signal: AbortSignal,
    wentBack: () => void,
    ask: (blocking: Blocking) => Promise<Indexed<T>>,
    take: (answer: Indexed<T>) => Promise<Set<NativeService>>,
  ): Promise<void> {
    if (list === 'nodes' && !this.#readsNodes) return;
    for (;;) {
      const index = this.#index[list];
      const blocking = { ...this.#context.deps, index, waitMs: this.#context.tuning.waitMs, signal };
      const answer = await blockingQuery(blocking, () => ask(blocking));
      if (answer.index < index) return wentBack();
      if (answer.index === index) continue;
      const touched = await take(answer);
      this.#index[list] = answer.index;
      this.#view.sawIndex(answer.index);
      await this.#view.publish(touched);
    }
  }

  #readServices(list: Indexed<ServiceName[]>, signal: AbortSignal): Promise<Set<NativeService>> {
    const { client, tuning } = this.#context;
    const names = list.value.filter((name) => this.#view.isWanted(name));
    return readRegistrations(client, this.#view.state, names, list.index, tuning.concurrency, signal);
  }

  /** Without `node:read` a node's death shows only when Nomad marks its allocations, some seconds later. */
  async #listNodes(signal: AbortSignal, blocking?: Blocking): Promise<Indexed<NomadNode[]>> {
    const { client, deps } = this.#context;
    if (!this.#readsNodes) return { value: [], index: this.#index.nodes };
    try {
      return await client.listNodes(signal, blocking);
    } catch (error) {
      if (isAborted(error) || toMeshError(error).code !== 'REGISTRY_REFUSED') throw error;
      this.#readsNodes = false;
      deps.log.warn({ source: deps.id }, 'Nomad: the token may not read nodes: give its policy node { policy = "read" }');
      return { value: [], index: this.#index.nodes };
    }
  }
}
