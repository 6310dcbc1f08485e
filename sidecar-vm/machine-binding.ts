import { createHmac } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../core/errors.ts';
import { giveUpSvid, readIfThere, writeOwnerOnly } from '../core/identity/index.ts';
import { agentFiles } from './files.ts';

/** machine-id(5): the second is where D-Bus keeps it without systemd. */
const idFiles = ['/etc/machine-id', '/var/lib/dbus/machine-id'];

/** Which machine this is; undefined where it cannot be told. The id itself is to stay on the machine: this is a keyed hash of it. */
export async function machineName(files: readonly string[] = idFiles): Promise<string | undefined> {
  for (const file of files) {
    const id = await readFile(file, 'utf8').catch(() => '');
    if (/^[0-9a-f]{32}$/.test(id.trim())) return createHmac('sha256', 'isthmus agent').update(id.trim()).digest('hex');
  }
  return undefined;
}

/**
 * A state directory belongs to the machine that it was made on: a copy of the disk would present the same identity, and the two would
 * fence each other for ever. Binds one that is not bound yet. MeshError CONFLICT, with what to do, on another machine.
 */
export async function bindToMachine(stateDir: string, machine: string | undefined): Promise<void> {
  if (machine === undefined) return;
  const path = machineFile(stateDir);
  const bound = (await readIfThere(path))?.trim();
  if (bound === machine) return;
  if (bound === undefined) return writeOwnerOnly(path, `${machine}\n`);
  throw new MeshError(
    'CONFLICT',
    `${stateDir} is of another machine (its machine-id differs), so its identity is not this machine's: if this is a copy, make a token with isthmus vm token and run isthmus vm join TOKEN --reset-identity; if it is the same machine with a new id, do the same`,
  );
}

/** Forgets who this was: keys, SVID, generation, and what it knew of the mesh. */
export async function forgetIdentity(stateDir: string): Promise<void> {
  const { identity, state } = agentFiles(stateDir);
  for (const path of [identity, state, machineFile(stateDir)]) await rm(path, { recursive: true, force: true });
}

/** Whoever has left goes by its SVID no more: roots may have been rotated since without it. Keys and roots stay, so that its token lets it in again. */
export async function giveUpSvids(stateDir: string): Promise<void> {
  const { identity, identities } = agentFiles(stateDir);
  const others = await readdir(identities).catch(() => []);
  for (const dir of [identity, ...others.map((name) => join(identities, name))]) await giveUpSvid(dir);
}

function machineFile(stateDir: string): string {
  return join(stateDir, 'machine');
}
