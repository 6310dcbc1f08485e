import type { Clock } from '../../core/clock.ts';
import { isAborted } from '../../core/lifecycle.ts';
import type { Log } from '../../core/log.ts';
import type { Store } from '../../core/store.ts';
import { sweepProofs } from './attestor/policy/index.ts';
import type { Authority } from './authority.ts';
import type { Ledger } from './ledger.ts';

/**
 * What a certificate authority needs done until `signal` aborts: denied serials followed at once; signing certificates rotated or alarmed
 * about, and old records forgotten, every hour. Failures are logged and tried again.
 */
export async function keepAuthority(parts: {
  authority: Authority;
  ledger: Ledger;
  store: Store;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
}): Promise<void> {
  const { authority, ledger, clock, log, signal } = parts;
  const follow = repeat('denied serials could not be followed', 1_000, () =>
    ledger.followDenied((serials) => void authority.setDenied(serials), signal),
  );
  const maintain = repeat('upkeep of the certificate authority failed', 3_600_000, async () => {
    await authority.maintain();
    await ledger.sweep(clock.now());
    await sweepProofs(parts.store, clock.now());
  });
  await Promise.all([follow, maintain]);

  async function repeat(fault: string, everyMs: number, task: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      try {
        await task();
        await clock.sleep(everyMs, signal);
      } catch (error) {
        if (isAborted(error)) return;
        log.error({ error }, fault);
        await clock.sleep(Math.min(everyMs, 10_000), signal).catch(() => undefined);
      }
    }
  }
}
