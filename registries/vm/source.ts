import { MeshError } from '../../core/errors.ts';
import { type AdapterDeps, type Emit, type RegistryEvent, type RegistrySource, runSource } from '../../core/registry/index.ts';
import type { Store, StoredEntry } from '../../core/store.ts';
import { decodeInstance, type RegisteredWorkload, workloadsPrefix } from './record.ts';
import { WorkloadIndex } from './workload-index.ts';

/**
 * The workloads that agents registered with this cluster, out of its own store: there at once after a restart, with what was
 * last known of their health. A source like any other; only the store can make it stale.
 */
export function createVmSource(store: Store, deps: AdapterDeps): RegistrySource {
  const { id, clock, random, log } = deps;
  return {
    id,
    watch: (signal: AbortSignal): AsyncIterable<RegistryEvent> =>
      runSource(
        (emit, aborted) => session(store, emit, aborted),
        { clock, random, onFailure: (error) => log.warn({ source: id, error: error.message }, 'registrations cannot be read') },
        signal,
      ),
  };
}

async function session(store: Store, emit: Emit, signal: AbortSignal): Promise<void> {
  const index = new WorkloadIndex();
  const { entries, revision } = await store.list(workloadsPrefix);
  index.apply(
    entries.map((entry) => [entry.key, workloadOf(entry)]),
    String(revision),
  );
  await emit({ kind: 'snapshot', services: index.services(), cursor: String(revision) });
  try {
    for await (const batch of store.watch(workloadsPrefix, revision, signal)) {
      const changes = batch.changes.map((change) =>
        change.kind === 'put' ? ([change.entry.key, workloadOf(change.entry)] as const) : ([change.key, undefined] as const),
      );
      for (const event of index.apply(changes, String(batch.revision))) await emit(event);
    }
  } catch (error) {
    // The history is gone: read everything anew.
    if (!(error instanceof MeshError && error.code === 'COMPACTED')) throw error;
  }
}

function workloadOf(entry: StoredEntry): RegisteredWorkload | undefined {
  const record = decodeInstance(entry);
  return record.role === 'workload' ? record : undefined;
}
