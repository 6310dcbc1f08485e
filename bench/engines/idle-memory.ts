import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningProxy } from './contract.ts';
import { memoryOf } from './usage.ts';

/** Bytes, by mapping. */
export type Memory = Awaited<ReturnType<typeof memoryOf>>;

/** Of two readings, bytes: so much comes and goes by itself. */
const calmBytes = 256 * 1_024;
const lookEveryMs = 250;
const patienceMs = 20_000;
/** Less than this for all connections together is lost in what comes and goes: no result. */
const leastBytes = 1 << 20;

/** Memory of the last of a proxy's processes, without garbage, once that stands still. */
export async function memoryWhenCalm({ pids, collect }: RunningProxy): Promise<Memory> {
  const until = performance.now() + patienceMs;
  let before: Memory = new Map();
  while (performance.now() < until) {
    await collect?.();
    const now = await memoryOf(pids.slice(-1));
    if (grownBy(now, before) <= calmBytes) return now;
    before = now;
    await sleep(lookEveryMs);
  }
  throw new Error('its memory does not come to rest');
}

/** KB for each of so many connections. NaN: too little to be told from what comes and goes. */
export function perConnection(after: Memory, atRest: Memory, connections: number): number {
  const more = grownBy(after, atRest);
  return more < leastBytes ? Number.NaN : more / connections / 1_024;
}

/** Of the mappings that have grown: a heap that gives back what it needed to start would hide connections. */
function grownBy(now: Memory, before: Memory): number {
  let bytes = 0;
  for (const [mapping, size] of now) bytes += Math.max(0, size - (before.get(mapping) ?? 0));
  return bytes;
}
