import { readFile } from 'node:fs/promises';

/** One fenced block of a page. */
export interface Fence {
  readonly language: string;
  /** What follows the language, such as `on=vm`. */
  readonly info: string;
  /** The nearest heading of the second level above it. */
  readonly section: string;
  readonly body: string;
}

/** The fenced blocks of a page of the documentation, in order. */
export async function readFences(page: string): Promise<Fence[]> {
  const here = import.meta.url;
  const text = await readFile(new URL(here.includes('/build/test/') ? `../../../${page}` : `../../${page}`, here), 'utf8');
  const fences: Fence[] = [];
  let section = '';
  for (const [, heading, language, info, body] of text.matchAll(/^## (.*)$|^```(\S+)(?: (\S.*))?\n([\s\S]*?)^```$/gm)) {
    if (heading !== undefined) section = heading;
    else fences.push({ language: language ?? '', info: info ?? '', section, body: body ?? '' });
  }
  return fences;
}

/** The blocks of one language on a page. */
export async function readBlocks(page: string, language: string): Promise<string[]> {
  return (await readFences(page)).filter((fence) => fence.language === language).map((fence) => fence.body);
}
