import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What memory this process can still have, of one limit that it is under. */
export interface MemoryRoom {
  /** Whose limit: the whole machine's, a container's or a unit's (cgroup), or the process's own (RLIMIT_AS). */
  readonly of: 'machine' | 'cgroup' | 'address space';
  readonly limitBytes: number;
  readonly freeBytes: number;
}

/** Undefined: there is no such file, or it cannot be read. */
export type ReadText = (path: string) => string | undefined;

export interface RoomSources {
  /** Default the files themselves. */
  readonly read?: ReadText;
  /** Bytes that the allocator has from the system, and nobody from it. Default 0. */
  readonly heldFree?: () => number;
}

/** Anything else says nothing of whether there is a limit: no descriptor is left, for example. */
const absent: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ENODEV', 'EOPNOTSUPP']);

const readText: ReadText = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (absent.has((error as NodeJS.ErrnoException).code)) return undefined;
    throw error;
  }
};

/** Below this the kernel's account of what could be reclaimed is asked, too, which costs more than all the rest. */
const closeBytes = 256 << 20;

/**
 * Asks the kernel at each call, which takes some 120 µs: limits change while a process runs. Empty where nothing is known, as on systems that are not
 * Linux. Throws what reading threw, but for files that are not there.
 */
export function memoryRooms({ read = readText, heldFree = () => 0 }: RoomSources = {}): readonly MemoryRoom[] {
  const rooms = [machine(read), addressSpace(read, heldFree), ...cgroups(read)];
  return rooms.filter((room) => room !== undefined);
}

/** proc(5), /proc/meminfo: what a new workload could have. */
function machine(read: ReadText): MemoryRoom | undefined {
  const text = read('/proc/meminfo') ?? '';
  return room('machine', kilobytes(text, 'MemTotal'), kilobytes(text, 'MemAvailable') + (kilobytes(text, 'SwapFree') || 0));
}

/** A line `NAME: COUNT kB` of a file in /proc, in bytes. */
function kilobytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1_024;
}

/**
 * getrlimit(2), RLIMIT_AS: counts what is mapped, used or not. What the allocator holds is of use to itself alone, and others want some as well: so a
 * quarter of what counts as free has to be free of everybody.
 */
function addressSpace(read: ReadText, heldFree: () => number): MemoryRoom | undefined {
  const limit = Number(/^Max address space\s+(\d+)\s/m.exec(read('/proc/self/limits') ?? '')?.[1]);
  if (Number.isNaN(limit)) return undefined;
  const unmapped = limit - kilobytes(read('/proc/self/status') ?? '', 'VmSize');
  return room('address space', limit, Math.min(4 * unmapped, unmapped + heldFree()));
}

/** cgroups(7): this process's own group, and all above it, of version 1's memory controller where it is that one's, else of version 2. */
function cgroups(read: ReadText): readonly (MemoryRoom | undefined)[] {
  const lines = (read('/proc/self/cgroup') ?? '').split('\n').map((line) => line.split(':'));
  const of = (fits: (controllers: string) => boolean) =>
    lines
      .find(([, controllers]) => fits(controllers ?? '-'))
      ?.slice(2)
      .join(':');
  const one = of((controllers) => controllers.split(',').includes('memory'));
  if (one !== undefined) return levels('/sys/fs/cgroup/memory', one, (dir) => groupOfOne(read, dir));
  const two = of((controllers) => controllers === '');
  // Where systemd has both versions, the second one is in a folder of its own.
  const root = read('/sys/fs/cgroup/cgroup.controllers') === undefined ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup';
  return two === undefined ? [] : levels(root, two, (dir) => groupOfTwo(read, dir));
}

/** A container that has no cgroup namespace sees its own group as the root, and a path that is not there. */
function levels<T>(root: string, path: string, of: (dir: string) => T): readonly T[] {
  const parts = path.split('/').filter((part) => part !== '');
  return Array.from({ length: parts.length + 1 }, (_, length) => of(join(root, ...parts.slice(0, length))));
}

function groupOfOne(read: ReadText, dir: string): MemoryRoom | undefined {
  const limit = number(read(join(dir, 'memory.limit_in_bytes')));
  // The greatest number of whole pages: there is none.
  if (!(limit < Number.MAX_SAFE_INTEGER)) return undefined;
  return group(limit, limit - number(read(join(dir, 'memory.usage_in_bytes'))), () =>
    reclaimable(read(join(dir, 'memory.stat')) ?? '', 'total_'),
  );
}

/** Above `memory.high` the kernel slows a group down until it stands still; `max`: there is none. */
function groupOfTwo(read: ReadText, dir: string): MemoryRoom | undefined {
  const limits = ['memory.max', 'memory.high'].map((file) => number(read(join(dir, file)))).filter((limit) => !Number.isNaN(limit));
  if (limits.length === 0) return undefined;
  const limit = Math.min(...limits);
  return group(limit, limit - number(read(join(dir, 'memory.current'))), () => reclaimable(read(join(dir, 'memory.stat')) ?? ''));
}

function group(limitBytes: number, freeBytes: number, cached: () => number): MemoryRoom | undefined {
  return room('cgroup', limitBytes, freeBytes < closeBytes ? freeBytes + cached() : freeBytes);
}

/** What the kernel takes back before it refuses anything: files that nobody has looked at again, and half of what is in use, as MemAvailable counts it. */
function reclaimable(stat: string, prefix = ''): number {
  const of = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
  return of(`${prefix}inactive_file`) + (of(`${prefix}active_file`) + of('slab_reclaimable')) / 2;
}

function number(text: string | undefined): number {
  return text === undefined || text.trim() === '' ? Number.NaN : Number(text);
}

function room(of: MemoryRoom['of'], limitBytes: number, freeBytes: number): MemoryRoom | undefined {
  return limitBytes > 0 && Number.isFinite(freeBytes) ? { of, limitBytes, freeBytes: Math.max(0, freeBytes) } : undefined;
}
