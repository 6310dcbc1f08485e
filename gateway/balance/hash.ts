/**
 * MurmurHash3 x86_32 of the UTF-8 bytes: the same in every proxy and after every restart, which is all that a hash table asks
 * for. Not a defence against chosen keys: who chooses keys chooses its own backend.
 */
export function hash32(text: string, seed = 0): number {
  const bytes = Buffer.from(text, 'utf8');
  const blocks = bytes.length - (bytes.length % 4);
  let hash = seed | 0;
  for (let at = 0; at < blocks; at += 4) hash = Math.imul(rotateLeft(hash ^ scramble(bytes.readInt32LE(at)), 13), 5) + 0xe6546b64;
  let tail = 0;
  for (let at = bytes.length - 1; at >= blocks; at--) tail = (tail << 8) | (bytes[at] ?? 0);
  if (bytes.length > blocks) hash ^= scramble(tail);
  return mix32(hash ^ bytes.length);
}

/** A number scattered over all 32 bits: MurmurHash3's finaliser, a bijection. */
export function mix32(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(block: number): number {
  return Math.imul(rotateLeft(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);
}

function rotateLeft(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}
