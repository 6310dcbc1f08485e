import { addCounts, type FlowCounts, noCounts } from '../../../core/telemetry/index.ts';
import { addPacked, type PackedCounts, packCounts, slotOf } from './packed-counts.ts';

/** What an array and a slot being filled cost besides their numbers; measured, rounded up. */
const packedOverhead = 256;
const openBytes = 3_584;

/** The counts of one key by slot, the newest of them still open. Not for use by several at once. */
export class FlowHistory {
  /** By slot. */
  #sealed: PackedCounts[] = [];
  #open: { readonly slot: number; readonly counts: FlowCounts } | undefined;
  #bytes = 0;

  /** About what this takes of memory. */
  get bytes(): number {
    return this.#bytes + (this.#open === undefined ? 0 : openBytes);
  }

  get empty(): boolean {
    return this.#sealed.length === 0 && this.#open === undefined;
  }

  /** The newest slot; -1: empty. */
  get newest(): number {
    return this.#open?.slot ?? slotOf(this.#sealed.at(-1) ?? Float64Array.of(-1));
  }

  add(slot: number, counts: FlowCounts): void {
    const open = this.#open;
    if (open === undefined ? slot > this.newest : slot > open.slot) {
      this.#seal();
      this.#open = { slot, counts: noCounts() };
      addCounts(this.#open.counts, counts);
    } else if (slot === open?.slot) addCounts(open.counts, counts);
    else this.#addLate(slot, counts);
  }

  /** Everything in `other`, slot by slot. */
  merge(other: FlowHistory): void {
    for (const { slot, counts } of other.slots(0)) this.add(slot, counts);
  }

  /** Forgets slots before `first`. */
  expire(first: number): void {
    const keep = this.#sealed.findIndex((packed) => slotOf(packed) >= first);
    const gone = this.#sealed.splice(0, keep === -1 ? this.#sealed.length : keep);
    for (const packed of gone) this.#bytes -= bytesOf(packed);
    if (this.#open !== undefined && this.#open.slot < first) this.#open = undefined;
  }

  /** From slot `first` on, in order. */
  *slots(first: number): Generator<{ readonly slot: number; readonly counts: FlowCounts }> {
    for (const packed of this.#sealed) {
      if (slotOf(packed) < first) continue;
      const counts = noCounts();
      addPacked(counts, packed);
      yield { slot: slotOf(packed), counts };
    }
    if (this.#open !== undefined && this.#open.slot >= first) yield this.#open;
  }

  #seal(): void {
    if (this.#open === undefined) return;
    this.#push(this.#sealed.length, packCounts(this.#open.slot, this.#open.counts));
    this.#open = undefined;
  }

  #addLate(slot: number, counts: FlowCounts): void {
    const found = this.#sealed.findIndex((packed) => slotOf(packed) >= slot);
    const index = found === -1 ? this.#sealed.length : found;
    const there = this.#sealed[index];
    const sum = noCounts();
    addCounts(sum, counts);
    if (there !== undefined && slotOf(there) === slot) {
      addPacked(sum, there);
      this.#bytes -= bytesOf(there);
      this.#sealed.splice(index, 1);
    }
    this.#push(index, packCounts(slot, sum));
  }

  #push(index: number, packed: PackedCounts): void {
    this.#sealed.splice(index, 0, packed);
    this.#bytes += bytesOf(packed);
  }
}

function bytesOf(packed: PackedCounts): number {
  return packed.byteLength + packedOverhead;
}
