import { addCounts, type FlowCounts, flagAt, flagIndex, increase, noCounts } from '../../../core/telemetry/index.ts';

/**
 * The counts of one slot as numbers in a row, which take a tenth of what maps do: slot, eight sums, four lengths, then the pairs.
 * Immutable once made.
 */
export type PackedCounts = Float64Array;

const head = 13;

export function slotOf(packed: PackedCounts): number {
  return packed[0] ?? 0;
}

export function packCounts(slot: number, counts: FlowCounts): PackedCounts {
  const { requests, connections, opened, failed, attempts, bytesReceived, bytesSent, latencySumMs, codes, grpcCodes, latency } = counts;
  const flags = new Map<number, number>();
  for (const [flag, n] of counts.flags) increase(flags, flagIndex(flag), n);
  const maps = [codes, grpcCodes, flags, latency];
  const sums = [requests, connections, bytesReceived, bytesSent, latencySumMs, attempts, opened, failed];
  const numbers = [slot, ...sums, ...maps.map((map) => map.size)];
  for (const map of maps) for (const [key, n] of map) numbers.push(key, n);
  return Float64Array.from(numbers);
}

/** Adds it to `sum`. */
export function addPacked(sum: FlowCounts, packed: PackedCounts): void {
  const at = (index: number) => packed[index] ?? 0;
  const more: FlowCounts = {
    ...noCounts(),
    requests: at(1),
    connections: at(2),
    bytesReceived: at(3),
    bytesSent: at(4),
    latencySumMs: at(5),
    attempts: at(6),
    opened: at(7),
    failed: at(8),
  };
  let next = head;
  const read = (length: number, take: (key: number, n: number) => void) => {
    for (let i = 0; i < length; i++, next += 2) take(at(next), at(next + 1));
  };
  read(at(9), (code, n) => increase(more.codes, code, n));
  read(at(10), (code, n) => increase(more.grpcCodes, code, n));
  read(at(11), (index, n) => increase(more.flags, flagAt(index), n));
  read(at(12), (bucket, n) => increase(more.latency, bucket, n));
  addCounts(sum, more);
}
