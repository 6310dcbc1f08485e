import { addCounts, type FlowCounts, type FlowKey, flowKeyText, noCounts, noGroup, type Observation, observe } from './flow.ts';

export interface Flow {
  readonly key: FlowKey;
  readonly counts: FlowCounts;
}

/**
 * What was seen since it was last taken, by key. Bounded by the number of keys: what comes for more of them is counted together,
 * in a flow without names, one for each reporter.
 */
export class FlowRecorder {
  readonly #maxKeys: number;
  #flows = new Map<string, Flow>();

  constructor(maxKeys = 4_000) {
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#flows.size;
  }

  record(key: FlowKey, seen: Observation): void {
    observe(this.#countsOf(key), seen);
  }

  add(key: FlowKey, counts: FlowCounts): void {
    addCounts(this.#countsOf(key), counts);
  }

  /** Everything, and begins anew. */
  take(): readonly Flow[] {
    const taken = [...this.#flows.values()];
    this.#flows = new Map();
    return taken;
  }

  #countsOf(key: FlowKey): FlowCounts {
    const text = flowKeyText(key);
    const known = this.#flows.get(text);
    if (known !== undefined) return known.counts;
    return this.#flows.size < this.#maxKeys ? this.#make(text, key) : this.#rest(key);
  }

  #rest({ reporter }: FlowKey): FlowCounts {
    const key = { reporter, sourcePrincipal: '', sourceCluster: '', route: '', cluster: '', group: noGroup };
    const text = flowKeyText(key);
    return this.#flows.get(text)?.counts ?? this.#make(text, key);
  }

  #make(text: string, key: FlowKey): FlowCounts {
    const flow = { key, counts: noCounts() };
    this.#flows.set(text, flow);
    return flow.counts;
  }
}
