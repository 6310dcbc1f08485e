import { readFile } from 'node:fs/promises';

/** The fenced blocks of one language on a page of the documentation, in order. */
export async function readBlocks(page: string, language: string): Promise<string[]> {
  const here = import.meta.url;
  const text = await readFile(new URL(here.includes('/build/test/') ? `../../../${page}` : `../../${page}`, here), 'utf8');
  return [...text.matchAll(/^```(\S+)\n([\s\S]*?)^```$/gm)].filter(([, l]) => l === language).map(([, , body = '']) => body);
}
