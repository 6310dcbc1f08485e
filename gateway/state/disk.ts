import { createHash } from 'node:crypto';
import { readIfThere, writeOwnerOnly } from '../../core/identity/index.ts';
import type { SavedResource } from '../../core/xds/index.ts';

export interface RestoredState {
  readonly resources: readonly SavedResource[];
  /** Unix ms when it was written; 0: there was none. */
  readonly savedAtMs: number;
  /** How old the data was at that time, ms. */
  readonly ageMs: number;
  /** A file was there, and this is why it counts as none. For people. */
  readonly fault?: string;
}

/** The age of data at one moment. */
export interface SavedAge {
  readonly ageMs: number;
  /** Unix ms. */
  readonly savedAtMs: number;
}

const formatName = 'isthmus-data-plane-state-';
const format = `${formatName}v1`;
const none = { resources: [], savedAtMs: 0, ageMs: 0 };

/** Atomic and synced: a reader sees the old file or the new one, also after a crash or on a full disk. The file holds no secret. */
export async function saveState(path: string, resources: readonly SavedResource[], age: SavedAge): Promise<void> {
  const lines = resources.map(({ typeUrl, name, version, value }) =>
    JSON.stringify([typeUrl, name, version, Buffer.from(value).toString('base64')]),
  );
  const body = lines.join('\n');
  await writeOwnerOnly(path, `${JSON.stringify({ format, ...age, sha256: digest(body) })}\n${body}`);
}

/** A file that is not whole, or not of this format, is refused whole, with a reason. Never throws. */
export async function loadState(path: string): Promise<RestoredState> {
  let text: string | undefined;
  try {
    text = await readIfThere(path);
  } catch (error) {
    return { ...none, fault: `it cannot be read: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (text === undefined) return none;
  try {
    return parseState(text);
  } catch {
    return { ...none, fault: 'it is damaged' };
  }
}

function parseState(text: string): RestoredState {
  const end = text.indexOf('\n');
  const header = JSON.parse(text.slice(0, end)) as { format?: unknown; savedAtMs?: unknown; ageMs?: unknown; sha256?: unknown };
  if (typeof header.format === 'string' && header.format.startsWith(formatName) && header.format !== format) {
    return { ...none, fault: `it was written in another format, ${header.format.slice(formatName.length, formatName.length + 16)}` };
  }
  const body = text.slice(end + 1);
  if (header.format !== format || header.sha256 !== digest(body)) return { ...none, fault: 'it is damaged' };
  const resources = body === '' ? [] : body.split('\n').map(parseLine);
  return { resources, savedAtMs: Number(header.savedAtMs), ageMs: Number(header.ageMs ?? 0) };
}

function parseLine(line: string): SavedResource {
  const [typeUrl, name, version, value] = JSON.parse(line) as [string, string, string, string];
  return { typeUrl, name, version, value: Buffer.from(value, 'base64') };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** While nothing changes only this is written: data that was confirmed a minute ago is a minute old, whenever it last changed. */
export async function saveAge(path: string, age: SavedAge): Promise<void> {
  await writeOwnerOnly(path, `${JSON.stringify(age)}\n`);
}

/** Undefined when there is none that can be read. Never throws. */
export async function loadAge(path: string): Promise<SavedAge | undefined> {
  try {
    const { ageMs, savedAtMs } = JSON.parse((await readIfThere(path)) ?? '') as Partial<SavedAge>;
    return typeof ageMs === 'number' && typeof savedAtMs === 'number' && ageMs >= 0 ? { ageMs, savedAtMs } : undefined;
  } catch {
    return undefined;
  }
}
