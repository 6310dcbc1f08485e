import { chmod, chown, lstat, mkdir, open, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../core/errors.ts';

export interface FolderOwner {
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Of files. */
  readonly mode: number;
}

const current = '..current';

/**
 * Replaces all files of a folder at one moment: they are written to a folder of their own, and one symbolic link is turned to it, as Kubernetes does with
 * mounted Secrets. Whoever opens `NAME` gets the old or the new one, whole; whoever opens `..current` once gets files that belong together. After a crash at
 * any moment it is the old ones or the new ones. MeshError CONFLICT, with nothing changed, where a file of such a name is there that is no link of
 * ours: it may be the only copy of somebody's key.
 */
export async function replaceFiles(dir: string, files: ReadonlyMap<string, string | Buffer>, owner: FolderOwner): Promise<void> {
  // Whoever may read a file may go into the folders.
  const through = owner.mode | ((owner.mode & 0o444) >> 2) | 0o700;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await refuseForeign(dir, [current, ...files.keys()]);
  await own(dir, through, owner);
  const version = `..${Date.now()}-${process.hrtime.bigint()}`;
  const fresh = join(dir, version);
  await mkdir(fresh, { mode: 0o700 });
  for (const [name, content] of files) await writeFile(join(fresh, name), content, owner);
  await own(fresh, through, owner);
  await sync(fresh);
  // Stays until the next change: somebody may be in it.
  const before = await readlink(join(dir, current)).catch(() => version);
  await turn(dir, current, version);
  for (const name of files.keys()) await turn(dir, name, join(current, name));
  await removeStale(dir, [version, before], files);
  await sync(dir);
}

async function writeFile(path: string, content: string | Buffer, { uid, gid, mode }: FolderOwner): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    if (uid !== undefined || gid !== undefined) await file.chown(uid ?? process.getuid?.() ?? 0, gid ?? process.getgid?.() ?? 0);
    await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function own(path: string, mode: number, { uid, gid }: FolderOwner): Promise<void> {
  if (uid !== undefined || gid !== undefined) await chown(path, uid ?? process.getuid?.() ?? 0, gid ?? process.getgid?.() ?? 0);
  await chmod(path, mode);
}

/** A link is made beside and renamed over the one that is there. */
async function turn(dir: string, name: string, target: string): Promise<void> {
  const path = join(dir, name);
  const there = await readlink(path).catch(() => undefined);
  if (there === target) return;
  const beside = join(dir, `..turning-${name}`);
  await rm(beside, { force: true });
  await symlink(target, beside);
  await rename(beside, path);
}

/** Versions that are not `kept`, and links of files that are no more. What is no link of ours stays. */
async function removeStale(dir: string, kept: readonly string[], files: ReadonlyMap<string, unknown>): Promise<void> {
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    if (/^\.\.\d+-\d+$/.test(name) && !kept.includes(name)) await rm(path, { recursive: true, force: true });
    else if (!name.startsWith('..') && !files.has(name) && (await isOurs(path))) await rm(path, { force: true });
  }
}

async function refuseForeign(dir: string, names: readonly string[]): Promise<void> {
  const foreign: string[] = [];
  for (const name of names) {
    const there = await lstat(join(dir, name)).catch(() => undefined);
    if (there === undefined || (there.isSymbolicLink() && (name === current || (await isOurs(join(dir, name)))))) continue;
    foreign.push(name);
  }
  if (foreign.length === 0) return;
  throw new MeshError(
    'CONFLICT',
    `${dir} has ${foreign.join(', ')}, not written by this agent: move what is there away, or choose another folder`,
  );
}

async function isOurs(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSymbolicLink()) return false;
  return (await readlink(path)).startsWith(`${current}/`);
}

async function sync(dir: string): Promise<void> {
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
