import { setMaxListeners } from 'node:events';
import { MeshError } from '../../core/errors.ts';
import { childController } from '../../core/lifecycle.ts';
import type { NomadClient, ServiceName } from './client.ts';
import type { Registration } from './schema.ts';
import type { NativeService, NomadState } from './state.ts';

/** Runs `task` for every item, `limit` at once; the first failure ends the rest, and is thrown after they have ended. */
export async function forEachBounded<T>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal,
  task: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { controller, release } = childController(signal);
  // One listener per worker is meant.
  setMaxListeners(0, controller.signal);
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) {
      if (controller.signal.aborted) return;
      await task(item, controller.signal);
    }
  };
  const workers = Array.from({ length: Math.min(limit, items.length) }, worker);
  try {
    await Promise.all(workers);
  } finally {
    controller.abort();
    release();
    await Promise.allSettled(workers);
  }
}

/** Reads the registrations of all `names` into `state`; `index` is the one the names came with. Returns what may look different. */
export async function readRegistrations(
  client: NomadClient,
  state: NomadState,
  names: readonly ServiceName[],
  index: number,
  limit: number,
  signal: AbortSignal,
): Promise<Set<NativeService>> {
  const registrations: Registration[] = [];
  const readAt = new Map<NativeService, number>();
  await forEachBounded(names, limit, signal, async (name, inner) => {
    const answer = await client.readService(name, inner);
    registrations.push(...answer.value);
    readAt.set(`${name.namespace}/${name.name}`, answer.index);
  });
  if (signal.aborted) throw new MeshError('ABORTED', 'Nomad: reading aborted');
  return state.setRegistrations(registrations, index, readAt);
}
