import { open, rename, rm } from 'node:fs/promises';

/** Replaces a file that everybody reads (0644): a reader sees the old one or the new one, whole, also after a crash. */
export async function writeReadable(path: string, content: string): Promise<void> {
  const temporary = `${path}.${process.pid}.isthmus`;
  try {
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.chmod(0o644);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
