import type { Clock } from '../clock.ts';
import { toMeshError } from '../errors.ts';

/** How Consul and Nomad let a caller wait for news: answer when the index is past `index`, or after `waitMs`. */
export interface BlockingQuery {
  /** 0: do not wait. */
  readonly index: number;
  readonly waitMs: number;
  readonly clock: Clock;
  /** [0, 1) */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** Failures in a row that are retried at once, with jitter, before they count. */
const toleratedFailures = 2;

/**
 * Asks, tolerating what is over in a moment (a connection that a proxy closed), and never spinning on a server that answers at
 * once without news. Rejects with the last failure; a hung connection, and what no retry helps, at once.
 */
export async function blockingQuery<T extends { readonly index: number }>(options: BlockingQuery, ask: () => Promise<T>): Promise<T> {
  const { index, waitMs, clock, random, signal } = options;
  for (let failures = 1; ; failures++) {
    const started = clock.monotonic();
    try {
      const answer = await ask();
      const quick = clock.monotonic() - started < Math.min(waitMs, 1_000) / 2;
      if (index > 0 && answer.index <= index && quick) await clock.sleep(100 + random() * 100, signal);
      return answer;
    } catch (error) {
      const { retryable, code } = toMeshError(error);
      if (signal.aborted || !retryable || code === 'DEADLINE_EXCEEDED' || failures > toleratedFailures) throw error;
      await clock.sleep(20 + random() * 80, signal);
    }
  }
}
