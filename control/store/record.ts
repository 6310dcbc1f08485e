import { crc32 } from 'node:zlib';
import type { StoredEntry } from '../../core/store.ts';

/**
 * How entries lie on disk: CRC-32 (4 bytes), create revision, mod revision and version (6 bytes each, big endian), length
 * of the lease id (1 byte), lease id, value. The checksum covers the key too, so a block that moved is not taken for another's.
 */
const fixedBytes = 4 + 3 * 6 + 1;

export function encodeEntry(entry: StoredEntry): Buffer {
  const lease = Buffer.from(entry.lease ?? '', 'latin1');
  const out = Buffer.allocUnsafe(fixedBytes + lease.length + entry.value.length);
  out.writeUIntBE(entry.createRevision, 4, 6);
  out.writeUIntBE(entry.modRevision, 10, 6);
  out.writeUIntBE(entry.version, 16, 6);
  out.writeUInt8(lease.length, 22);
  lease.copy(out, fixedBytes);
  out.set(entry.value, fixedBytes + lease.length);
  out.writeUInt32BE(checksumOf(entry.key, out), 0);
  return out;
}

/** Undefined when the bytes are not what was once written under this key. */
export function decodeEntry(key: string, bytes: Buffer): StoredEntry | undefined {
  if (bytes.length < fixedBytes || bytes.readUInt32BE(0) !== checksumOf(key, bytes)) return undefined;
  const leaseLength = bytes.readUInt8(22);
  if (bytes.length < fixedBytes + leaseLength) return undefined;
  const lease = bytes.toString('latin1', fixedBytes, fixedBytes + leaseLength);
  return {
    key,
    value: new Uint8Array(bytes.subarray(fixedBytes + leaseLength)),
    createRevision: bytes.readUIntBE(4, 6),
    modRevision: bytes.readUIntBE(10, 6),
    version: bytes.readUIntBE(16, 6),
    ...(lease === '' ? {} : { lease }),
  };
}

export function recordChecksum(bytes: Buffer): number {
  return bytes.readUInt32BE(0);
}

export function encodeLease(id: string, ttlMs: number): Buffer {
  return seal(id, JSON.stringify({ ttlMs }));
}

/** The lease's TTL in ms; undefined when corrupt. */
export function decodeLease(id: string, bytes: Buffer): number | undefined {
  const body = unseal(id, bytes) as { ttlMs?: unknown } | undefined;
  return typeof body?.ttlMs === 'number' ? body.ttlMs : undefined;
}

/** What the rest of the file must add up to; written in the same batch as every change. */
export interface StateRecord {
  readonly format: 1;
  readonly revision: number;
  /** Entries and leases that exist. */
  readonly count: number;
  /** XOR of their checksums: a batch that went missing in the middle of a damaged log shows. */
  readonly digest: number;
}

export function encodeState(state: StateRecord): Buffer {
  return seal('state', JSON.stringify(state));
}

export function decodeState(bytes: Buffer): StateRecord | undefined {
  const body = unseal('state', bytes) as Partial<StateRecord> | undefined;
  if (typeof body?.revision !== 'number' || typeof body.count !== 'number' || typeof body.digest !== 'number') return undefined;
  return body.format === 1 ? (body as StateRecord) : undefined;
}

function seal(key: string, body: string): Buffer {
  const out = Buffer.concat([Buffer.alloc(4), Buffer.from(body)]);
  out.writeUInt32BE(checksumOf(key, out), 0);
  return out;
}

function unseal(key: string, bytes: Buffer): unknown {
  if (bytes.length < 4 || bytes.readUInt32BE(0) !== checksumOf(key, bytes)) return undefined;
  return JSON.parse(bytes.toString('utf8', 4));
}

function checksumOf(key: string, bytes: Buffer): number {
  return crc32(bytes.subarray(4), crc32(key));
}
