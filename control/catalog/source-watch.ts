import type { Clock } from '../../core/clock.ts';
import { toMeshError } from '../../core/errors.ts';
import type { RegistryEvent, RegistrySource } from '../../core/registry/index.ts';

/** Between an adapter that broke its contract, by ending or throwing, and the next try. */
const restartMs = 1_000;

/**
 * Reads one source until `signal` aborts. `apply` may hold it back; after the abort nothing more is applied. An adapter's
 * failure is that source's alone: it shows as stale, and the watch begins anew.
 */
export async function watchSource(
  source: RegistrySource,
  apply: (event: RegistryEvent) => Promise<void>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    let failure: unknown = new Error('its watch ended');
    try {
      for await (const event of source.watch(signal)) {
        if (signal.aborted) return;
        await apply(event);
      }
    } catch (error) {
      failure = error;
    }
    if (signal.aborted) return;
    await apply({ kind: 'stale', error: toMeshError(failure, 'INTERNAL', `source ${source.id} broke off`) });
    await clock.sleep(restartMs, signal).catch(() => undefined);
  }
}
