import { forEachBounded } from '../../core/registry/index.ts';
import type { NomadClient, ServiceName } from './client.ts';
import type { Registration } from './schema.ts';
import type { NativeService, NomadState } from './state.ts';

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
  return state.setRegistrations(registrations, index, readAt);
}
