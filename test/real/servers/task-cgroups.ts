import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Deep enough for both layouts: `freezer/nomad/ID.main` (version 1) and `nomad.slice/share.slice/ID.main.scope` (version 2). */
const DEPTH = 3;

/**
 * Removes the control groups of Nomad allocations whose tasks are dead. Nomad does it itself, unless it and its executors were
 * killed; the groups would otherwise stay until the machine restarts.
 */
export async function removeTaskCgroups(allocationIds: readonly string[], root = '/sys/fs/cgroup', depth = DEPTH): Promise<void> {
  for (const entry of await readdir(root, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isDirectory()) continue;
    const path = join(root, entry.name);
    if (allocationIds.some((id) => entry.name.startsWith(id))) await rmdir(path).catch(() => undefined);
    else if (depth > 1) await removeTaskCgroups(allocationIds, path, depth - 1);
  }
}
