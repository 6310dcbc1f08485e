import { callFailed, type Libc, libc } from './libc.ts';

/** Numbers of the generic Linux ABI (x64, arm64, riscv64). */
const ERANGE = 34;

export type OptionValue = { readonly bytes: Buffer } | { readonly errno: number };

/** getsockopt(2). What did not work is its errno; ERANGE is tried again with the size that the kernel asks for. */
export function getOption(fd: number, level: number, name: number, size: number, os: Libc = libc()): OptionValue {
  const value = Buffer.alloc(size);
  const length = Buffer.alloc(4);
  writeUint32(length, size);
  if (os.getsockopt(fd, level, name, value, length) === 0) return { bytes: value.subarray(0, readUint32(length)) };
  const errno = os.errno();
  const wanted = readUint32(length);
  return errno === ERANGE && wanted > size && wanted <= 1_048_576 ? getOption(fd, level, name, wanted, os) : { errno };
}

export function setFlag(fd: number, level: number, name: number, what: string): void {
  const os = libc();
  const one = Buffer.alloc(4);
  writeUint32(one, 1);
  if (os.setsockopt(fd, level, name, one, 4) !== 0) throw callFailed(`setsockopt(${what})`, os.errno());
}

const native = new Uint32Array(1);
const nativeBytes = Buffer.from(native.buffer);

/** In the byte order of this machine. */
export function readUint32(from: Buffer, at = 0): number {
  from.copy(nativeBytes, 0, at, at + 4);
  return native[0] ?? 0;
}

export function writeUint32(to: Buffer, value: number, at = 0): void {
  native[0] = value;
  nativeBytes.copy(to, at);
}
