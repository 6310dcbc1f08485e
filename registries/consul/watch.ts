import { setMaxListeners } from 'node:events';
import { toMeshError } from '../../core/errors.ts';
import { childController } from '../../core/lifecycle.ts';
import {
  type AdapterDeps,
  blockingQuery,
  type Emit,
  forEachBounded,
  isExcluded,
  nameService,
  type RegistryRules,
  ServiceIndex,
} from '../../core/registry/index.ts';
import type { Violation } from '../../core/validate.ts';
import type { ConsulClient } from './client.ts';
import type { ConsulTuning } from './config.ts';
import { QueryBudget } from './query-budget.ts';
import type { HealthEntry } from './schema.ts';
import { translateService } from './translate.ts';

export interface FollowContext {
  readonly client: ConsulClient;
  readonly rules: RegistryRules;
  readonly tuning: ConsulTuning;
  readonly deps: AdapterDeps;
  /** Native name → when this process first saw it, Unix ms; outlives sessions, because Consul keeps no such time. */
  readonly firstSeen: Map<string, number>;
  /** Called when what is wrong with a service changes. */
  readonly report: (native: string, violations: readonly Violation[]) => void;
}

/**
 * One session with Consul: reads the list of services and each service's health, emits the snapshot, then follows both with
 * blocking queries, one per service. Nothing is polled: a change is known when Consul's own state store has it.
 */
export class ConsulFollower {
  readonly #context: FollowContext;
  readonly #emit: Emit;
  readonly #index = new ServiceIndex();
  readonly #budget: QueryBudget;
  readonly #followers = new Map<string, { readonly stop: () => void; readonly ended: Promise<void> }>();
  #applying: Promise<void> = Promise.resolve();
  #listIndex = 0;

  constructor(context: FollowContext, emit: Emit) {
    this.#context = context;
    this.#emit = emit;
    this.#budget = new QueryBudget(context.tuning.maxQueries, context.tuning.waitMs);
  }

  /** Returns when the list's index went back, which means another state store; throws when Consul cannot be read. */
  async run(parent: AbortSignal): Promise<void> {
    const { controller, release } = childController(parent);
    // One listener per service is meant.
    setMaxListeners(0, controller.signal);
    let failure: unknown;
    const fail = (error: unknown) => {
      if (controller.signal.aborted) return;
      failure = error;
      controller.abort();
    };
    try {
      const indexes = await this.#readAll(controller.signal);
      this.#budget.resize(indexes.size);
      for (const [name, index] of indexes) this.#follow(name, index, controller.signal, fail);
      await this.#followList(controller.signal, fail);
    } catch (error) {
      fail(error);
    } finally {
      controller.abort();
      release();
      await Promise.all([...this.#followers.values()].map((f) => f.ended));
    }
    if (failure !== undefined && !parent.aborted) throw failure;
  }

  /** Everything, side by side but bounded; each service's index is what to block on next. */
  async #readAll(signal: AbortSignal): Promise<Map<string, number>> {
    const list = await this.#context.client.listServices(signal);
    this.#listIndex = list.index;
    const names = this.#wanted(list.value);
    const listed = new Set(names);
    for (const name of this.#context.firstSeen.keys()) if (!listed.has(name)) this.#context.firstSeen.delete(name);
    const indexes = new Map<string, number>();
    await forEachBounded(names, this.#context.tuning.syncConcurrency, signal, async (name, inner) => {
      const answer = await this.#context.client.readService(name, inner);
      indexes.set(name, answer.index);
      this.#index.set(name, this.#translate(name, answer.value), '');
    });
    this.#reportCollisions();
    await this.#emit({ kind: 'snapshot', services: this.#index.services(), cursor: `${list.index}` });
    return indexes;
  }

  async #followList(signal: AbortSignal, fail: (error: unknown) => void): Promise<void> {
    const { client, tuning, deps } = this.#context;
    for (;;) {
      const blocking = { ...deps, index: this.#listIndex, waitMs: tuning.waitMs, signal };
      const list = await blockingQuery(blocking, () => client.listServices(signal, blocking));
      if (list.index < this.#listIndex) return;
      this.#listIndex = list.index;
      const names = new Set(this.#wanted(list.value));
      this.#budget.resize(names.size);
      for (const [name, follower] of this.#followers) {
        if (names.has(name)) continue;
        follower.stop();
        await follower.ended;
        this.#followers.delete(name);
        await this.#apply(name, [], list.index);
        this.#context.firstSeen.delete(name);
      }
      this.#reportCollisions();
      for (const name of names) if (!this.#followers.has(name)) this.#follow(name, 0, signal, fail);
    }
  }

  #follow(name: string, index: number, parent: AbortSignal, fail: (error: unknown) => void): void {
    const { controller, release } = childController(parent);
    const ended = this.#followService(name, index, controller.signal)
      .catch((error: unknown) => {
        if (!controller.signal.aborted) fail(toMeshError(error));
      })
      .finally(release);
    this.#followers.set(name, { stop: () => controller.abort(), ended });
  }

  async #followService(name: string, from: number, signal: AbortSignal): Promise<void> {
    const { client, deps } = this.#context;
    let index = from;
    for (;;) {
      const answer = await this.#budget.run(signal, (waitMs, cut) => {
        const blocking = { ...deps, index, waitMs, signal: cut };
        return blockingQuery(blocking, () => client.readService(name, cut, blocking));
      });
      if (answer === undefined) continue;
      if (answer.index !== index) await this.#apply(name, answer.value, answer.index, signal);
      // An index that went back belongs to a new history: what it says is true, and the next read must not block on the old one.
      index = answer.index < index ? 0 : answer.index;
    }
  }

  /** In one line with all others, so that what is emitted of one mesh service is in order. */
  async #apply(name: string, entries: readonly HealthEntry[], index: number, signal?: AbortSignal): Promise<void> {
    const mine = this.#applying.then(async () => {
      if (signal?.aborted === true) return;
      for (const event of this.#index.set(name, this.#translate(name, entries), `${index}`)) await this.#emit(event);
    });
    this.#applying = mine.catch(() => {});
    await mine;
  }

  #translate(name: string, entries: readonly HealthEntry[]) {
    const { rules, deps, firstSeen, report } = this.#context;
    const createdAt = firstSeen.get(name) ?? deps.clock.now();
    firstSeen.set(name, createdAt);
    const { parts, violations } = translateService(entries, rules, createdAt);
    report(name, violations);
    return parts;
  }

  #reportCollisions(): void {
    this.#context.report('(names)', this.#index.violations());
  }

  /** Names worth a query. Consul's servers register themselves as `consul`: left out unless included by name. */
  #wanted(list: Readonly<Record<string, unknown>>): string[] {
    const { rules, report } = this.#context;
    return Object.keys(list).filter((name) => {
      if (name === 'consul' && !rules.include.includes('consul')) return false;
      const named = nameService({ name, meta: {}, tags: [] }, { ...rules, namespace: 'any' });
      if (!isExcluded(named)) return true;
      report(name, named.violation === undefined ? [] : [named.violation]);
      return false;
    });
  }
}
