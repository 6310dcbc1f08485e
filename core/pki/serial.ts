import { hash, randomBytes } from 'node:crypto';

const tagBytes = 4;
const serialBytes = 16;

/** Asked for by the page: 16 bytes at a time cost a quarter of what the signature does. */
let pool = Buffer.alloc(0);

function randomSerial(): Buffer {
  if (pool.length < serialBytes) pool = randomBytes(256 * serialBytes);
  const serial = Buffer.from(pool.subarray(0, serialBytes));
  pool = pool.subarray(serialBytes);
  return serial;
}

/**
 * A new serial number for a leaf of one cluster: 16 bytes, of which 4 are the cluster's and the rest random. So whoever hears from a cluster
 * which of its leaves it has taken back can tell that they are its own.
 */
export function serialFor(cluster: string): Buffer {
  const serial = randomSerial();
  tagOf(cluster).copy(serial, 1);
  return serial;
}

/** Whether a serial (lower-case hex) may be of a leaf of that cluster, as `serialFor` makes them. */
export function isSerialOf(serial: string, cluster: string): boolean {
  return serial.length === 32 && serial.slice(2, 2 + 2 * tagBytes) === tagOf(cluster).toString('hex');
}

/** Of the cluster that was asked about last: one issues all its leaves for itself. */
let last: { readonly cluster: string; readonly tag: Buffer } | undefined;

function tagOf(cluster: string): Buffer {
  if (last?.cluster !== cluster) last = { cluster, tag: hash('sha256', `serial of ${cluster}`, 'buffer').subarray(0, tagBytes) };
  return last.tag;
}
