import type { Clock } from '../../../core/clock.ts';
import { addCounts, type FlowCounts, noCounts, noGroup, type Reporter } from '../../../core/telemetry/index.ts';
import { defaultTrafficLimits, type TrafficFlow, type TrafficKey, type TrafficLimits, type TrafficStats } from './contract.ts';
import { nowhere } from './destination.ts';
import { FlowHistory } from './flow-history.ts';

interface Entry {
  readonly key: TrafficKey;
  readonly folded: boolean;
  /** Who said it first: what its quota is charged for. */
  readonly owner: string;
  readonly history: FlowHistory;
  readonly fixedBytes: number;
}

/** Entry, key and map slot, without the texts. */
const entryBytes = 1_200;

/**
 * The last hour of the mesh's traffic, in memory. Bounded in keys and bytes: beyond them the least recent key is counted with the
 * other ones of its reporter's kind, so that sums stay true and only names are lost. Not durable: a restarted control plane says since when it knows.
 */
export class TrafficStore {
  readonly #clock: Clock;
  readonly #limits: TrafficLimits;
  /** Least recent first. */
  readonly #entries = new Map<string, Entry>();
  readonly #perOwner = new Map<string, number>();
  readonly #startedAt: number;
  #bytes = 0;
  #foldedKeys = 0;
  #sweptSlot = 0;

  constructor(clock: Clock, limits: Partial<TrafficLimits> = {}) {
    this.#clock = clock;
    this.#limits = { ...defaultTrafficLimits, ...limits };
    this.#startedAt = clock.monotonic();
  }

  /** `owner` reports it, `ageMs` after it was. What is older than all that is kept is left out. */
  add(key: TrafficKey, counts: FlowCounts, owner: string, ageMs = 0): void {
    const { slotMs } = this.#limits;
    this.#expire();
    const slot = Math.floor((this.#clock.monotonic() - Math.max(0, ageMs)) / slotMs);
    if (slot < this.#firstSlot(this.#limits.keptMs)) return;
    const text = keyText(key);
    const known = this.#entries.get(text);
    if (known !== undefined) this.#touch(text, known, slot, counts);
    else if ((this.#perOwner.get(owner) ?? 0) >= this.#limits.keysOfReporter) {
      this.#foldedKeys += 1;
      this.#rest(key.reporter, (rest) => rest.add(slot, counts));
    } else {
      this.#perOwner.set(owner, (this.#perOwner.get(owner) ?? 0) + 1);
      this.#touch(text, { key, folded: false, owner, history: new FlowHistory(), fixedBytes: entryBytes + 4 * text.length }, slot, counts);
    }
    this.#shrink();
  }

  /** Sums over the last `sinceMs` (at most what is kept), whole slots; keys without any are left out. In no order. */
  flows(sinceMs: number, wanted: (key: TrafficKey) => boolean = () => true): TrafficFlow[] {
    this.#expire();
    const first = this.#firstSlot(Math.min(sinceMs, this.#limits.keptMs));
    return [...this.#entries.values()].flatMap(({ key, folded, history }) => {
      if (!wanted(key)) return [];
      const sum = noCounts();
      const slots: number[] = [];
      for (const { slot, counts } of history.slots(first)) {
        addCounts(sum, counts);
        slots.push(slot);
      }
      const [oldest, newest] = [slots[0], slots.at(-1)];
      if (oldest === undefined || newest === undefined) return [];
      return [{ key, folded, counts: sum, firstAt: this.#unix(oldest), lastAt: this.#unix(newest + 1) }];
    });
  }

  stats(): TrafficStats {
    const since = this.#clock.now() - Math.min(this.#clock.monotonic() - this.#startedAt, this.#limits.keptMs);
    return { keys: this.#entries.size, bytes: this.#bytes, folded: this.#foldedKeys, since };
  }

  #touch(text: string, entry: Entry, slot: number, counts: FlowCounts): void {
    const before = this.#entries.delete(text) ? entry.fixedBytes + entry.history.bytes : 0;
    entry.history.add(slot, counts);
    this.#entries.set(text, entry);
    this.#bytes += entry.fixedBytes + entry.history.bytes - before;
  }

  #shrink(): void {
    while (this.#entries.size > this.#limits.keys || this.#bytes > this.#limits.bytes) {
      const oldest = leastRecent(this.#entries);
      if (oldest === undefined) return;
      const [text, entry] = oldest;
      this.#remove(text, entry);
      this.#foldedKeys += 1;
      this.#rest(entry.key.reporter, (rest) => rest.merge(entry.history));
    }
  }

  #remove(text: string, { fixedBytes, history, owner }: Entry): void {
    this.#entries.delete(text);
    this.#bytes -= fixedBytes + history.bytes;
    const left = (this.#perOwner.get(owner) ?? 1) - 1;
    if (left > 0) this.#perOwner.set(owner, left);
    else this.#perOwner.delete(owner);
  }

  /** Not among the keys that can be folded, so it is never folded into itself. */
  #rest(reporter: Reporter, change: (history: FlowHistory) => void): void {
    const text = `rest ${reporter}`;
    const key: TrafficKey = { reporter, source: { principal: '', cluster: '' }, route: '', destination: nowhere, group: noGroup };
    const entry = this.#entries.get(text) ?? { key, folded: true, owner: '', history: new FlowHistory(), fixedBytes: 0 };
    const before = entry.history.bytes;
    change(entry.history);
    this.#entries.set(text, entry);
    this.#bytes += entry.history.bytes - before;
  }

  /** Once a slot. */
  #expire(): void {
    const slot = this.#firstSlot(this.#limits.keptMs);
    if (slot === this.#sweptSlot) return;
    this.#sweptSlot = slot;
    for (const [text, entry] of this.#entries) {
      const before = entry.history.bytes;
      entry.history.expire(slot);
      this.#bytes += entry.history.bytes - before;
      if (entry.history.empty) this.#remove(text, entry);
    }
  }

  #firstSlot(sinceMs: number): number {
    return Math.floor((this.#clock.monotonic() - sinceMs) / this.#limits.slotMs);
  }

  /** Unix ms of the beginning of a slot, never later than now. */
  #unix(slot: number): number {
    return Math.min(this.#clock.now(), this.#clock.now() - this.#clock.monotonic() + slot * this.#limits.slotMs);
  }
}

function leastRecent(entries: ReadonlyMap<string, Entry>): readonly [string, Entry] | undefined {
  for (const entry of entries) if (!entry[1].folded) return entry;
  return undefined;
}

function keyText({ reporter, source, route, destination: d, group: g }: TrafficKey): string {
  const to = `${d.namespace}\n${d.name}\n${d.host}\n${d.port}\n${d.subset}`;
  return `${reporter}\n${source.principal}\n${source.cluster}\n${route}\n${to}\n${g.cluster}\n${g.locality}\n${g.runtime}\n${g.viaGateway}`;
}
