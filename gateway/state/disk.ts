import { createHash } from 'node:crypto';
import { readIfThere, writeOwnerOnly } from '../../core/identity/index.ts';
import type { SavedResource } from '../../core/xds/index.ts';

/** `damaged`: a file was there, and was not whole; then it counts as none. */
export interface RestoredState {
  readonly resources: readonly SavedResource[];
  /** Unix ms when it was written; 0: there was none. */
  readonly savedAtMs: number;
  readonly damaged: boolean;
}

const format = 'isthmus-data-plane-state-v1';

/** Atomic and synced: a reader sees the old file or the new one, also after a crash. The file holds no secret. */
export async function saveState(path: string, resources: readonly SavedResource[], nowMs: number): Promise<void> {
  const lines = resources.map(({ typeUrl, name, version, value }) =>
    JSON.stringify([typeUrl, name, version, Buffer.from(value).toString('base64')]),
  );
  const body = lines.join('\n');
  await writeOwnerOnly(path, `${JSON.stringify({ format, savedAtMs: nowMs, sha256: digest(body) })}\n${body}`);
}

/** Never throws for what the file holds. */
export async function loadState(path: string): Promise<RestoredState> {
  const none = { resources: [], savedAtMs: 0 };
  const text = await readIfThere(path);
  if (text === undefined) return { ...none, damaged: false };
  try {
    const end = text.indexOf('\n');
    const header = JSON.parse(text.slice(0, end)) as { format?: unknown; savedAtMs?: unknown; sha256?: unknown };
    const body = text.slice(end + 1);
    if (header.format !== format || header.sha256 !== digest(body)) return { ...none, damaged: true };
    const resources = body === '' ? [] : body.split('\n').map(parseLine);
    return { resources, savedAtMs: Number(header.savedAtMs), damaged: false };
  } catch {
    return { ...none, damaged: true };
  }
}

function parseLine(line: string): SavedResource {
  const [typeUrl, name, version, value] = JSON.parse(line) as [string, string, string, string];
  return { typeUrl, name, version, value: Buffer.from(value, 'base64') };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
