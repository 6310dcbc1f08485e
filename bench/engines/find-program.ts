import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Debian keeps servers where an ordinary user's PATH does not lead. */
const serverFolders = ['/usr/sbin', '/usr/local/sbin'];

/** The path in that environment variable, or the first on PATH; undefined where there is none. */
export async function findProgram(name: string, variable: string): Promise<string | undefined> {
  const named = process.env[variable];
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...serverFolders];
  for (const path of named === undefined ? folders.map((folder) => join(folder, name)) : [named]) {
    const runs = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return path;
  }
  return undefined;
}
