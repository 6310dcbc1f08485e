import { callFailed, libc } from './libc.ts';
import { readUint32, writeUint32 } from './socket-options.ts';

/** Numbers and layouts of the generic Linux ABI with words of 64 bits (x64, arm64, riscv64). */
const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0x80000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const F_DUPFD_CLOEXEC = 1030;
const EAGAIN = 11;
const ENOENT = 2;
const ECONNREFUSED = 111;
const headerBytes = 16;
/** The kernel's limit for one message is 253. */
const mostDescriptors = 64;
const mostBytes = 16_384;

/** What the other side has said: no bytes and no descriptors at its end. Descriptors are the receiver's to close. */
export interface Received {
  readonly bytes: Buffer;
  readonly descriptors: readonly number[];
}

/**
 * Passes open descriptors, 64 at most, to whoever holds the other end of a Unix stream socket (unix(7), SCM_RIGHTS), with the bytes that say what they
 * are. The sender's stay open. False: there is no room now, and nothing was sent. MeshError INTERNAL; UNSUPPORTED without koffi.
 */
export function passDescriptors(fd: number, bytes: Buffer, descriptors: readonly number[]): boolean {
  if (descriptors.length > mostDescriptors) throw new RangeError(`${descriptors.length} descriptors in one message`);
  const os = libc();
  const control = Buffer.alloc(descriptors.length === 0 ? 0 : headerBytes + 8 * Math.ceil(descriptors.length / 2));
  if (descriptors.length > 0) {
    writeUint32(control, headerBytes + 4 * descriptors.length, lowWord);
    writeUint32(control, SOL_SOCKET, 8);
    writeUint32(control, SCM_RIGHTS, 12);
    for (const [at, each] of descriptors.entries()) writeUint32(control, each, headerBytes + 4 * at);
  }
  const sent = os.sendmsg(fd, message(bytes, control), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent === bytes.length) return true;
  if (sent < 0 && os.errno() === EAGAIN) return false;
  throw callFailed('sendmsg(SCM_RIGHTS)', sent < 0 ? os.errno() : 0);
}

/** Undefined: nothing has come yet. MeshError INTERNAL also where this process may not have so many descriptors: those that came are closed then. */
export function receiveDescriptors(fd: number): Received | undefined {
  const os = libc();
  const bytes = Buffer.alloc(mostBytes);
  const control = Buffer.alloc(headerBytes + 4 * mostDescriptors);
  const header = message(bytes, control);
  const length = os.recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length < 0) {
    if (os.errno() === EAGAIN) return undefined;
    throw callFailed('recvmsg', os.errno());
  }
  const descriptors = readRights(control.subarray(0, Number(header.controllen)));
  if ((header.flags & MSG_CTRUNC) === 0) return { bytes: bytes.subarray(0, length), descriptors };
  for (const each of descriptors) os.close(each);
  throw callFailed('recvmsg: descriptors were left out, as this process may have no more (RLIMIT_NOFILE)', 0);
}

/** A connected descriptor, the caller's to close. Undefined: nobody listens there. MeshError INTERNAL. */
export function connectUnix(path: string): number | undefined {
  const os = libc();
  const address = Buffer.alloc(2 + Buffer.byteLength(path) + 1);
  Buffer.from(new Uint16Array([AF_UNIX]).buffer).copy(address);
  address.write(path, 2);
  const fd = os.socket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0);
  if (fd < 0) throw callFailed('socket(AF_UNIX)', os.errno());
  if (os.connect(fd, address, address.length) === 0) return fd;
  const errno = os.errno();
  os.close(fd);
  if (errno === ENOENT || errno === ECONNREFUSED) return undefined;
  throw callFailed(`connect(${path})`, errno);
}

/** Closed on exec; the caller's to close. MeshError INTERNAL. */
export function duplicateDescriptor(fd: number): number {
  const os = libc();
  const made = os.fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (made < 0) throw callFailed('fcntl(F_DUPFD_CLOEXEC)', os.errno());
  return made;
}

export function closeDescriptor(fd: number): void {
  libc().close(fd);
}

/** Of a word of 64 bits, by the byte order of the machine. */
const lowWord = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 0 : 4;

function message(bytes: Buffer, control: Buffer) {
  return {
    name: null,
    namelen: 0,
    iov: [{ base: bytes, len: bytes.length }],
    iovlen: 1,
    control: control.length === 0 ? null : control,
    controllen: control.length,
    flags: 0,
  };
}

/** Of all cmsghdr that the kernel wrote. */
function readRights(control: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + headerBytes <= control.length; ) {
    const length = readUint32(control, at + lowWord);
    if (length < headerBytes || at + length > control.length) break;
    if (readUint32(control, at + 8) === SOL_SOCKET && readUint32(control, at + 12) === SCM_RIGHTS) {
      for (let each = at + headerBytes; each + 4 <= at + length; each += 4) found.push(readUint32(control, each));
    }
    at += 8 * Math.ceil(length / 8);
  }
  return found;
}
