import { type ExecFileException, execFile } from 'node:child_process';
import { MeshError } from '../../core/errors.ts';
import { tableName } from './rules.ts';

const nftMs = 10_000;

/** Runs nft(8). `input`: for its standard input. MeshError CONFIG_INVALID where there is no nft or it refuses, PERMISSION_DENIED without the right. */
export type Nft = (args: readonly string[], input?: string) => Promise<string>;

export const runNft: Nft = (args, input) =>
  new Promise((resolve, reject) => {
    const child = execFile('nft', [...args], { timeout: nftMs, env: { ...process.env, LC_ALL: 'C' } }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(nftFailure(error, stderr));
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });

/** Whether a table of ours is there. */
export async function isInstalled(nft: Nft): Promise<boolean> {
  const tables = await nft(['list', 'tables']);
  return tables.split('\n').some((line) => line.trim() === `table ${tableName}`);
}

/** Removes all of ours; nothing where nothing is. */
export async function removeTable(nft: Nft): Promise<void> {
  // The first line makes the second hold also where there is none.
  await nft(['-f', '-'], `table ${tableName}\ndelete table ${tableName}\n`);
}

function nftFailure(error: ExecFileException, stderr: string): MeshError {
  const said = stderr.trim().split('\n')[0] ?? '';
  if (error.code === 'ENOENT')
    return new MeshError('CONFIG_INVALID', 'there is no nft here: install the package nftables', { cause: error });
  if (/not permitted|permission denied/i.test(stderr)) {
    return new MeshError('PERMISSION_DENIED', `only root may change packet filters: run it with sudo (nft: ${said})`, { cause: error });
  }
  return new MeshError('CONFIG_INVALID', `nft refused the rules: ${said || error.message}`, { cause: error });
}
