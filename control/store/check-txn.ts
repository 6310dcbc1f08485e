import { MeshError } from '../../core/errors.ts';
import { storeLimits, type Txn } from '../../core/store.ts';

/** Refuses what one of the two implementations could not do, so that both refuse the same. */
export function checkTxn(txn: Txn): void {
  if (txn.if.length > storeLimits.opsPerTxn || txn.then.length > storeLimits.opsPerTxn) {
    throw new MeshError(
      'LIMIT_EXCEEDED',
      `a transaction has ${txn.if.length} compares and ${txn.then.length} writes, at most ${storeLimits.opsPerTxn} of each are allowed`,
    );
  }
  for (const compare of txn.if) checkKey(compare.key);
  const written = new Set<string>();
  let bytes = 0;
  for (const op of txn.then) {
    checkKey(op.key);
    if (written.has(op.key)) throw new MeshError('INTERNAL', `key ${op.key} is written twice in one transaction`);
    written.add(op.key);
    bytes += op.key.length + (op.op === 'put' ? op.value.length : 0);
  }
  if (bytes > storeLimits.bytesPerTxn) {
    throw new MeshError('LIMIT_EXCEEDED', `a transaction writes ${bytes} bytes, at most ${storeLimits.bytesPerTxn} are allowed`);
  }
}

export function checkKey(key: string): void {
  if (key === '' || key.startsWith('/') || Buffer.byteLength(key) > storeLimits.keyBytes || /[\p{Cc}\p{Cs}\u{10ffff}]/u.test(key)) {
    throw new MeshError('INTERNAL', `${JSON.stringify(key.slice(0, 80))} is not a store key`);
  }
}

export function checkLeaseTtl(ttlMs: number): void {
  if (!Number.isFinite(ttlMs) || ttlMs < 1000) throw new MeshError('INTERNAL', `a lease of ${ttlMs} ms is shorter than 1,000 ms`);
}

/** First key, in byte order, after every key with this prefix; undefined when there is no end. */
export function afterPrefix(prefix: Buffer): Buffer | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] ?? 0;
    if (byte === 0xff) continue;
    const end = Buffer.from(prefix.subarray(0, i + 1));
    end[i] = byte + 1;
    return end;
  }
  return undefined;
}
