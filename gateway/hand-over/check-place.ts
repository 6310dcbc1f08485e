import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshError } from '../../core/errors.ts';

/** What Linux takes is 107; it is bound under another name first, which has the process id in it. */
const mostBytes = 96;

/**
 * That the socket can be in its folder, which is made where it is not there. One that others can look into is not made narrower, as they may have
 * reasons to. MeshError CONFIG_INVALID.
 */
export async function checkPlace(path: string): Promise<void> {
  if (Buffer.byteLength(path) > mostBytes)
    throw new MeshError('CONFIG_INVALID', `${path} is too long for a socket (${mostBytes} bytes at most): choose a shorter path`);
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = await stat(folder);
  if (uid === process.geteuid?.() && (mode & 0o077) === 0) return;
  const whose = uid === process.geteuid?.() ? `has mode ${(mode & 0o777).toString(8)}` : `belongs to uid ${uid}`;
  throw new MeshError('CONFIG_INVALID', `${folder} ${whose}: the folder of the hand-over socket has to be this user's alone (0700)`);
}
