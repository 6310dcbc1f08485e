import { createRequire } from 'node:module';
import { MeshError } from '../errors.ts';

/** The few calls of libc that the rest of this folder is made of. Buffers are read and written in place; nothing here blocks. */
export interface Libc {
  getsockopt(fd: number, level: number, name: number, value: Buffer, length: Buffer): number;
  setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number;
  socket(domain: number, type: number, protocol: number): number;
  send(fd: number, bytes: Buffer, length: number, flags: number): number;
  recv(fd: number, bytes: Buffer, length: number, flags: number): number;
  connect(fd: number, address: Buffer, length: number): number;
  sendmsg(fd: number, message: MessageHeader, flags: number): number;
  /** Writes what it did into `message`. */
  recvmsg(fd: number, message: MessageHeader, flags: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  close(fd: number): number;
  madvise(at: bigint, length: bigint, advice: number): number;
  /** glibc alone: what was freed goes back to the system. */
  trim?(pad: number): number;
  /** Of the last call that failed. */
  errno(): number;
}

/** struct msghdr (recvmsg(2)), of systems with words of 64 bits. */
export interface MessageHeader {
  readonly name: null;
  readonly namelen: number;
  readonly iov: readonly { readonly base: Buffer; readonly len: number }[];
  readonly iovlen: number;
  readonly control: Buffer | null;
  controllen: number | bigint;
  flags: number;
}

let loaded: Libc | undefined;
let missing: MeshError | undefined;

/** Loaded when first needed. MeshError UNSUPPORTED: this is not Linux, or koffi has no binary for this machine. */
export function libc(): Libc {
  if (missing !== undefined) throw missing;
  try {
    loaded ??= load(process.platform);
    return loaded;
  } catch (error) {
    missing = error instanceof MeshError ? error : unsupported(`koffi cannot be loaded here: ${(error as Error).message}`, error);
    throw missing;
  }
}

/** MeshError UNSUPPORTED for what only Linux has. */
export function unsupported(message: string, cause?: unknown): MeshError {
  return new MeshError('UNSUPPORTED', message, { cause });
}

/** Of a call that failed: its name and errno, e.g. `getsockopt(SO_PEERCRED): errno 88`. */
export function callFailed(call: string, errno: number): MeshError {
  return new MeshError('INTERNAL', `${call}: errno ${errno}`);
}

function load(platform: string): Libc {
  if (platform !== 'linux') throw unsupported(`this needs Linux, and this is ${platform}`);
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  // The process itself: whichever libc it runs on.
  const lib = koffi.load(null);
  const iovec = koffi.struct({ base: 'void *', len: 'size_t' });
  const header = koffi.struct({
    name: 'void *',
    namelen: 'uint32_t',
    iov: koffi.pointer(iovec),
    iovlen: 'size_t',
    control: 'void *',
    controllen: 'size_t',
    flags: 'int',
  });
  return {
    connect: lib.func('int connect(int fd, const void *address, uint32_t length)'),
    sendmsg: lib.func('sendmsg', 'intptr_t', ['int', koffi.pointer(header), 'int']),
    recvmsg: lib.func('recvmsg', 'intptr_t', ['int', koffi.inout(koffi.pointer(header)), 'int']),
    getsockopt: lib.func('int getsockopt(int fd, int level, int name, void *value, void *length)'),
    setsockopt: lib.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)'),
    socket: lib.func('int socket(int domain, int type, int protocol)'),
    send: lib.func('intptr_t send(int fd, const void *bytes, size_t length, int flags)'),
    recv: lib.func('intptr_t recv(int fd, void *bytes, size_t length, int flags)'),
    fcntl: lib.func('int fcntl(int fd, int command, int argument)'),
    close: lib.func('int close(int fd)'),
    madvise: lib.func('int madvise(uintptr_t at, size_t length, int advice)'),
    ...trimOf(lib),
    errno: () => koffi.errno(),
  };
}

/** Others' allocators give back by themselves. */
function trimOf(lib: { func(declaration: string): unknown }): Pick<Libc, 'trim'> {
  try {
    return { trim: lib.func('int malloc_trim(size_t pad)') as NonNullable<Libc['trim']> };
  } catch {
    return {};
  }
}
