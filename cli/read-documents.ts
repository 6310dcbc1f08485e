import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApplyRequest } from '../core/admin/index.ts';
import { CliError } from './cli-error.ts';
import { exitCode } from './exit-codes.ts';
import type { Io } from './io.ts';

type DocumentFile = ApplyRequest['files'][number];

const mostBytes = 1024 * 1024;
const mostFiles = 1000;

/** Files, every `.yaml`, `.yml` and `.json` of folders (not below them; what is left out is said), and standard input for `-`; as the server is to see them. */
export async function readDocuments(paths: readonly string[], io: Io): Promise<DocumentFile[]> {
  const files: DocumentFile[] = [];
  for (const path of paths) {
    if (path === '-') files.push({ file: 'standard input', text: await io.input(mostBytes) });
    else for (const file of await filesOf(path, io)) files.push({ file, text: await readFile(file, 'utf8') });
  }
  if (files.length > mostFiles) throw tooMuch(`${files.length} files: at most ${mostFiles} are taken at once`);
  const bytes = files.reduce((sum, f) => sum + Buffer.byteLength(f.text), 0);
  if (bytes > mostBytes) throw tooMuch(`${bytes} bytes of documents: at most ${mostBytes} are taken at once`);
  return files;
}

async function filesOf(path: string, io: Io): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = (await readdir(path, { withFileTypes: true })).filter((e) => !e.name.startsWith('.'));
  const [taken, skipped] = [true, false].map((wanted) =>
    entries
      .filter((e) => (/\.(ya?ml|json)$/.test(e.name) && !e.isDirectory()) === wanted)
      .map((e) => (e.isDirectory() ? `${e.name}/` : e.name)),
  );
  const names = (taken ?? []).sort();
  if (names.length === 0) throw new CliError(exitCode.invalid, 'INVALID_INPUT', `${path} holds no .yaml, .yml or .json file`);
  if (skipped !== undefined && skipped.length > 0) io.err(`Not read in ${path}: ${skipped.sort().join(', ')}\n`);
  return names.map((name) => join(path, name));
}

function tooMuch(message: string): CliError {
  return new CliError(exitCode.invalid, 'LIMIT_EXCEEDED', message, 'split them; documents that belong together go together');
}
