import { createHash, randomBytes } from 'node:crypto';

const tagBytes = 4;

/**
 * A new serial number for a leaf of one cluster: 16 bytes, of which 4 are the cluster's and the rest random. So whoever hears from a cluster
 * which of its leaves it has taken back can tell that they are its own.
 */
export function serialFor(cluster: string): Buffer {
  const serial = randomBytes(16);
  tagOf(cluster).copy(serial, 1);
  return serial;
}

/** Whether a serial (lower-case hex) may be of a leaf of that cluster, as `serialFor` makes them. */
export function isSerialOf(serial: string, cluster: string): boolean {
  return serial.length === 32 && serial.slice(2, 2 + 2 * tagBytes) === tagOf(cluster).toString('hex');
}

function tagOf(cluster: string): Buffer {
  return createHash('sha256').update(`serial of ${cluster}`).digest().subarray(0, tagBytes);
}
