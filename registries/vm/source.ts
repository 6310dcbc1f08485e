import type { Clock } from '../../core/clock.ts';
import { MeshError } from '../../core/errors.ts';
import { childController } from '../../core/lifecycle.ts';
import { type AdapterDeps, type Emit, type RegistryEvent, type RegistrySource, runSource } from '../../core/registry/index.ts';
import type { Store, StoredEntry } from '../../core/store.ts';
import { PacedChanges } from './paced-changes.ts';
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
        (emit, aborted) => session(store, groups, clock, emit, aborted),
        { clock, random, onFailure: (error) => log.warn({ source: id, error: error.message }, 'registrations cannot be read') },
        signal,
      ),
  };
}

async function session(store: Store, groups: Groups, clock: Clock, emit: Emit, signal: AbortSignal): Promise<void> {
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
  // One round after the other, whichever side its changes come from.
  const { controller, release } = childController(signal);
  const paced = new PacedChanges<RegisteredWorkload | undefined>({
    tell: async (changes) => {
      for (const event of apply(changes)) await emit(event);
    },
    onFailure: () => controller.abort(),
    clock,
    signal: controller.signal,
  });
  const end = groups.subscribe(() => {
    for (const [key, workload] of known) if (workload.group !== undefined) paced.addKnown(key, workload);
  });
  try {
    for await (const batch of store.watch(workloadsPrefix, revision, controller.signal)) {
      cursor = String(batch.revision);
      for (const change of batch.changes) {
        if (change.kind === 'put') paced.add(change.entry.key, workloadOf(change.entry));
        else paced.add(change.key, undefined);
      }
    }
  } catch (error) {
    // The history is gone: read everything anew.
    if (!(error instanceof MeshError && error.code === 'COMPACTED')) throw error;
  } finally {
    end();
    try {
      await paced.idle();
    } finally {
      release();
    }
  }
}

function workloadOf(entry: StoredEntry): RegisteredWorkload | undefined {
  const record = decodeInstance(entry);
  return record.role === 'workload' ? record : undefined;
}
