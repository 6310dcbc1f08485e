import { type AdapterDeps, type Emit, isExcluded, nameService, ServiceIndex } from '../../core/registry/index.ts';
import type { Violation } from '../../core/validate.ts';
import type { EventBatch, NomadClient, ServiceName } from './client.ts';
import type { NomadSpec, NomadTuning } from './config.ts';
import { type NativeService, NomadState } from './state.ts';
import { translateService } from './translate.ts';

export interface FollowContext {
  readonly client: NomadClient;
  readonly spec: NomadSpec;
  readonly tuning: NomadTuning;
  readonly deps: AdapterDeps;
  /** Native service → when this process first saw it, Unix ms; outlives sessions, because Nomad keeps no such time. */
  readonly firstSeen: Map<NativeService, number>;
  /** Called when what is wrong with a service changes. */
  readonly report: (native: string, violations: readonly Violation[]) => void;
}

/** Nomad's state as mesh services, told to the reader in one line: whoever changes the state, what is emitted is in order. */
export class NomadView {
  readonly state = new NomadState();
  readonly #context: FollowContext;
  readonly #emit: Emit;
  readonly #index = new ServiceIndex();
  #telling: Promise<void> = Promise.resolve();
  #hasSnapshot = false;
  #seen = 0;

  constructor(context: FollowContext, emit: Emit) {
    this.#context = context;
    this.#emit = emit;
  }

  /** The highest index heard of. */
  get seen(): number {
    return this.#seen;
  }

  get hasSnapshot(): boolean {
    return this.#hasSnapshot;
  }

  sawIndex(index: number): void {
    this.#seen = Math.max(this.#seen, index);
  }

  /** Everything; the first event of a session. */
  snapshot(): Promise<void> {
    return this.#inLine(async () => {
      const names = this.state.services();
      for (const name of this.#context.firstSeen.keys()) if (!names.includes(name)) this.#context.firstSeen.delete(name);
      for (const name of names) this.#index.set(name, this.#translate(name), '');
      this.#hasSnapshot = true;
      this.#context.report('(names)', this.#index.violations());
      await this.#emit({ kind: 'snapshot', services: this.#index.services(), cursor: `${this.#seen}` });
    });
  }

  /** Deltas of the services that may look different; nothing before the snapshot, which will hold them. */
  publish(touched: ReadonlySet<NativeService>): Promise<void> {
    if (!this.#hasSnapshot || touched.size === 0) return Promise.resolve();
    return this.#inLine(async () => {
      for (const name of touched) {
        for (const event of this.#index.set(name, this.#translate(name), `${this.#seen}`)) await this.#emit(event);
      }
    });
  }

  async apply(batch: EventBatch): Promise<void> {
    const touched = new Set<NativeService>();
    for (const event of batch) {
      this.sawIndex(event.Index);
      for (const name of this.state.apply(event)) touched.add(name);
    }
    await this.publish(touched);
  }

  /** Whether the rules can let a service in, so that it is worth reading. */
  isWanted({ name, namespace }: ServiceName): boolean {
    const rules = { ...this.#context.spec.rules, namespace: 'any' };
    const named = nameService({ name, nativeNamespace: namespace, meta: {}, tags: [] }, rules);
    if (!isExcluded(named)) return true;
    this.#context.report(`${namespace}/${name}`, named.violation === undefined ? [] : [named.violation]);
    return false;
  }

  #translate(name: NativeService) {
    const { spec, deps, firstSeen, report } = this.#context;
    const instances = this.state.instancesOf(name);
    if (instances.length === 0) {
      firstSeen.delete(name);
      report(name, []);
      return [];
    }
    const createdAt = firstSeen.get(name) ?? deps.clock.now();
    firstSeen.set(name, createdAt);
    const { parts, violations } = translateService(instances, spec.rules, spec.connection.region ?? '', createdAt);
    report(name, violations);
    return parts;
  }

  async #inLine(tell: () => Promise<void>): Promise<void> {
    const mine = this.#telling.then(tell);
    this.#telling = mine.catch(() => {});
    await mine;
  }
}
