import { memoryShort } from './admission.ts';
import type { Connection } from './connection.ts';

/** Whoever has taken nothing for so long stands still. */
const stillMs = 500;
/** Kept for a connection, bytes: with less, its end would help nobody. */
const worthBytes = 8_192;

/** Ends streams whose reader stands still, those first for which most is kept, until so many bytes are free. `now`: monotonic ms. */
export function relieve(connections: Iterable<Connection>, bytes: number, now: number): void {
  const still = [...connections].filter(({ outcome, movedAt }) => outcome === 'forward' && movedAt <= now - stillMs);
  const most = still.map((connection) => ({ connection, kept: connection.kept }));
  let freed = 0;
  for (const { connection, kept } of most.filter((each) => each.kept >= worthBytes).sort((a, b) => b.kept - a.kept)) {
    if (freed >= bytes) return;
    freed += kept;
    connection.breakOff(memoryShort, `${kept} bytes were kept for a reader that stands still, and memory is short`, 'OM');
  }
}
