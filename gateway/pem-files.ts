import { type FileHandle, open } from 'node:fs/promises';
import { MeshError } from '../core/errors.ts';

/** Chains and authorities of people are longer than ours; more is no certificate. */
const maxBytes = 1_048_576;

/** The text of a file of certificates. Rejects with MeshError CONFIG_INVALID, which says in one sentence what is wrong with it, and nothing of what is in it. */
export function readPem(path: string): Promise<string> {
  return textOf(path);
}

/** Of a private key, which nobody but its owner may read. Rejects as readPem. */
export function readKeyPem(path: string): Promise<string> {
  return textOf(path, refuseOpenKey);
}

async function textOf(path: string, check?: (path: string, handle: FileHandle) => Promise<void>): Promise<string> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    throw wrong(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'it is no file'}`);
  }
  try {
    await check?.(path, handle);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(maxBytes + 1), 0, maxBytes + 1, 0);
    if (bytesRead > maxBytes) throw wrong(`${path} is longer than ${maxBytes} bytes`);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw wrong(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'it is no file'}`);
  } finally {
    await handle.close();
  }
}

/** As PostgreSQL has it: the owner's alone, or root's and readable by a group, which is how secrets are mounted for those who are not root. */
async function refuseOpenKey(path: string, handle: FileHandle): Promise<void> {
  const { mode, uid } = await handle.stat();
  const allowed = uid === 0 ? 0o740 : 0o700;
  if ((mode & 0o777 & ~allowed) === 0) return;
  const bits = (mode & 0o777).toString(8).padStart(4, '0');
  throw wrong(`${path} is open to others (mode ${bits}): a private key must be readable by its owner alone, chmod 0600`);
}

function wrong(message: string): MeshError {
  return new MeshError('CONFIG_INVALID', message);
}
