import { randomBytes } from 'node:crypto';
import { chmod, type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshError } from '../errors.ts';

/** Makes the folder, and takes group and others off one that is there already. MeshError CONFIG_INVALID where a file is in the way. */
export async function ensureOwnerOnlyDir(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST' && error.code !== 'ENOTDIR') throw error;
    const what = error.code === 'EEXIST' ? 'is a file' : 'lies below a file';
    throw new MeshError('CONFIG_INVALID', `${dir} ${what}, and has to be a folder: name another one, or move the file away`, {
      cause: error,
    });
  });
  await chmod(dir, 0o700);
}

export interface WriteOptions {
  /** `folder`: what root writes belongs to whoever the folder belongs to, so that a service that runs as that user can read it. Default: the writer's own. */
  readonly owner?: 'folder';
}

/**
 * Replaces a file (mode 0600) so that after a crash at any moment it is the old one or the new one, whole: written beside it, synced,
 * renamed, the folder synced. Resolves when that is durable.
 */
export async function writeOwnerOnly(path: string, content: string, { owner }: WriteOptions = {}): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
      if (owner === 'folder') await giveToOwnerOf(dirname(path), file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const dir = await open(dirname(path), 'r');
  try {
    await dir.sync();
  } finally {
    await dir.close();
  }
}

/** By its descriptor: whoever owns the folder could put a link in the place of the name. Only root can give anything away. */
async function giveToOwnerOf(folder: string, file: FileHandle): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = await stat(folder);
  await file.chown(uid, gid);
}

/** Undefined when there is no such file. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
