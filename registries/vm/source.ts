import { MeshError } from '../../core/errors.ts';
import { type AdapterDeps, type Emit, type RegistryEvent, type RegistrySource, runSource } from '../../core/registry/index.ts';
import type { Store, StoredEntry } from '../../core/store.ts';
import { decodeInstance, type RegisteredWorkload, workloadsPrefix } from './record.ts';
import { type Groups, noGroups, withGroup } from './with-group.ts';
import { WorkloadIndex } from './workload-index.ts';

/**
 * The workloads that agents registered with this cluster, out of its own store: there at once after a restart, with what was
 * last known of their health. A source like any other; only the store can make it stale.
 */
export function createVmSource(store: Store, deps: AdapterDeps, groups: Groups = noGroups): RegistrySource {
  const { id, clock, random, log } = deps;
  return {
    id,
    watch: (signal: AbortSignal): AsyncIterable<RegistryEvent> =>
      runSource(
        (emit, aborted) => session(store, groups, emit, aborted),
        { clock, random, onFailure: (error) => log.warn({ source: id, error: error.message }, 'registrations cannot be read') },
        signal,
      ),
  };
}

async function session(store: Store, groups: Groups, emit: Emit, signal: AbortSignal): Promise<void> {
  const index = new WorkloadIndex();
  /** As they registered. */
  const known = new Map<string, RegisteredWorkload>();
  const { entries, revision } = await store.list(workloadsPrefix);
  let cursor = String(revision);
  const apply = (changes: readonly (readonly [string, RegisteredWorkload | undefined])[]) => {
    for (const [key, workload] of changes) {
      if (workload === undefined) known.delete(key);
      else known.set(key, workload);
    }
    return index.apply(
      changes.map(([key, workload]) => [key, workload === undefined ? undefined : withGroup(workload, groups)] as const),
      cursor,
    );
  };
  apply(entries.map((entry) => [entry.key, workloadOf(entry)] as const));
  await emit({ kind: 'snapshot', services: index.services(), cursor });
  /** One change after the other, whichever side it comes from. */
  let told = Promise.resolve();
  const tell = (changes: () => readonly (readonly [string, RegisteredWorkload | undefined])[]): Promise<void> => {
    told = told.then(async () => {
      for (const event of apply(changes())) await emit(event);
    });
    return told;
  };
  const members = () => [...known].filter(([, workload]) => workload.group !== undefined);
  // Who no longer listens hears nothing; that shows in the loop below.
  const end = groups.subscribe(() => void tell(members).catch(() => undefined));
  try {
    for await (const batch of store.watch(workloadsPrefix, revision, signal)) {
      cursor = String(batch.revision);
      await tell(() =>
        batch.changes.map((change) =>
          change.kind === 'put' ? ([change.entry.key, workloadOf(change.entry)] as const) : ([change.key, undefined] as const),
        ),
      );
    }
  } catch (error) {
    // The history is gone: read everything anew.
    if (!(error instanceof MeshError && error.code === 'COMPACTED')) throw error;
  } finally {
    end();
  }
}

function workloadOf(entry: StoredEntry): RegisteredWorkload | undefined {
  const record = decodeInstance(entry);
  return record.role === 'workload' ? record : undefined;
}
