import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';

/** `path` from the repository's root, whether the test runs from its source or from build/. */
function fileOf(path: string): URL {
  const here = import.meta.url;
  return new URL(here.includes('/build/test/') ? `../../../${path}` : `../../${path}`, here);
}

export async function readInput<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(fileOf(path), 'utf8')) as T;
}

/** Compares with the golden file, which `UPDATE_GOLDEN=1` writes instead. */
export async function assertGolden(path: string, value: unknown): Promise<void> {
  const file = fileOf(path);
  const text = `${JSON.stringify(value, null, 1)}\n`;
  if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(file, text);
  assert.deepEqual(JSON.parse(text), JSON.parse(await readFile(file, 'utf8')), `${path}; UPDATE_GOLDEN=1 rewrites it`);
}

/** For what cannot be made twice alike: the caller asks whether it is wanted. */
export async function writeGolden(path: string, value: unknown): Promise<void> {
  await writeFile(fileOf(path), `${JSON.stringify(value)}\n`);
}

/** The same for what people read: compared as it is. */
export async function assertGoldenText(path: string, text: string): Promise<void> {
  const file = fileOf(path);
  if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(file, text);
  assert.equal(text, await readFile(file, 'utf8'), `${path}; UPDATE_GOLDEN=1 rewrites it`);
}
