import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { MeshError } from '../../core/errors.ts';
import { entryPrefix, leasePrefix, MemoryState, stateKey } from './memory-state.ts';
import { decodeEntry, decodeLease, decodeState, encodeState, recordChecksum } from './record.ts';

export type Database = ClassicLevel<string, Buffer>;

export interface OpenedLevel {
  readonly db: Database;
  readonly state: MemoryState;
}

const marker = 'isthmus-store';
const holderFile = 'holder.json';

/** Opens or creates the database and checks every record in it. */
export async function openLevel(dir: string): Promise<OpenedLevel> {
  const known = await prepareDir(dir);
  const db: Database = new ClassicLevel(join(dir, 'db'), { keyEncoding: 'utf8', valueEncoding: 'buffer', createIfMissing: !known });
  try {
    await db.open();
  } catch (error) {
    throw await openError(dir, error);
  }
  try {
    const state = await load(dir, db, known);
    if (!known) await writeDurably(join(dir, marker), 'format 1\n');
    await writeFile(join(dir, holderFile), JSON.stringify({ pid: process.pid, host: hostname() }), { mode: 0o600 });
    return { db, state };
  } catch (error) {
    await db.close();
    throw storeError(dir, error);
  }
}

export async function closeLevel(dir: string, db: Database): Promise<void> {
  await rm(join(dir, holderFile), { force: true });
  await db.close();
}

/** Whether the disk takes writes again, found out without touching the database. */
export async function probeDisk(dir: string): Promise<void> {
  const path = join(dir, 'probe');
  try {
    await writeDurably(path, randomBytes(64 * 1024));
  } finally {
    await rm(path, { force: true });
  }
}

/** Every failure of the disk or the database as the one code of the Store contract. */
export function storeError(dir: string, error: unknown): MeshError {
  if (error instanceof MeshError) return error;
  const text = reasonOf(error);
  const hint = /ENOSPC|No space|File too large|EFBIG|EDQUOT/i.test(text)
    ? 'free space on its disk'
    : 'check the disk and the rights of the folder';
  return new MeshError('STORE_UNAVAILABLE', `store in ${dir}: ${text}; ${hint}`, { retryable: true, cause: error });
}

export function corrupt(dir: string, what: string, cause?: unknown): MeshError {
  return new MeshError(
    'STORE_UNAVAILABLE',
    `store in ${dir} is damaged: ${what}. Nothing was changed. Restore the folder from a backup, or move it away to start empty`,
    { cause },
  );
}

async function prepareDir(dir: string): Promise<boolean> {
  try {
    await mkdir(join(dir, 'db'), { recursive: true, mode: 0o700 });
    return await stat(join(dir, marker)).then(
      () => true,
      () => false,
    );
  } catch (error) {
    throw storeError(dir, error);
  }
}

async function load(dir: string, db: Database, known: boolean): Promise<MemoryState> {
  const state = new MemoryState();
  const stored = await db.get(stateKey);
  if (stored === undefined) {
    if (known) throw corrupt(dir, 'its state record is missing');
    for await (const _ of db.keys({ limit: 1 })) throw corrupt(dir, 'it holds keys that are not of this store');
    await db.batch([{ type: 'put', key: stateKey, value: encodeState({ format: 1, revision: 1, count: 0, digest: 0 }) }], { sync: true });
    return state;
  }
  const totals = decodeState(stored);
  if (totals === undefined) throw corrupt(dir, 'its state record does not match its checksum');
  for await (const [key, bytes] of db.iterator()) {
    if (key !== stateKey) loadRecord(dir, state, key, bytes);
  }
  state.revision = totals.revision;
  if (state.count !== totals.count || state.digest !== totals.digest) {
    throw corrupt(dir, `it should hold ${totals.count} records and holds ${state.count}, or some are not the newest`);
  }
  return state;
}

function loadRecord(dir: string, state: MemoryState, key: string, bytes: Buffer): void {
  const name = key.slice(2);
  if (key.startsWith(entryPrefix)) {
    const entry = decodeEntry(name, bytes);
    if (entry === undefined) throw corrupt(dir, `the record of key ${name} does not match its checksum`);
    const { key: _, value, ...meta } = entry;
    state.setKey(name, { ...meta, checksum: recordChecksum(bytes) });
  } else if (key.startsWith(leasePrefix)) {
    const ttlMs = decodeLease(name, bytes);
    if (ttlMs === undefined) throw corrupt(dir, `the record of lease ${name} does not match its checksum`);
    state.setLease(name, { ttlMs, checksum: recordChecksum(bytes) });
  } else {
    throw corrupt(dir, `it holds a key that is not of this store: ${JSON.stringify(key.slice(0, 40))}`);
  }
  state.digest = (state.digest ^ recordChecksum(bytes)) >>> 0;
}

async function openError(dir: string, error: unknown): Promise<MeshError> {
  const code = codeOf(error);
  if (code === 'LEVEL_LOCKED') {
    const holder = await readHolder(dir);
    return new MeshError(
      'STORE_UNAVAILABLE',
      `store in ${dir} is in use by ${holder}: one control plane at a time may open it; stop that one, or give this one its own stateDir`,
      { cause: error },
    );
  }
  const text = reasonOf(error);
  if (code === 'LEVEL_CORRUPTION' || /does not exist|[Cc]orrupt|CURRENT/.test(text)) return corrupt(dir, text, error);
  return storeError(dir, error);
}

async function readHolder(dir: string): Promise<string> {
  try {
    const holder = JSON.parse(await readFile(join(dir, holderFile), 'utf8')) as { pid?: unknown; host?: unknown };
    return `process ${Number(holder.pid)} on ${String(holder.host)}`;
  } catch {
    return 'another process';
  }
}

async function writeDurably(path: string, data: string | Uint8Array): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

function codeOf(error: unknown): string {
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  return cause?.code ?? code ?? '';
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string } };
  return cause?.message ?? message ?? String(error);
}
