import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MemoryRoom, memoryRooms } from '../../../core/memory-room.ts';

const giga = 2 ** 30;
const mega = 2 ** 20;
const reading = (files: Readonly<Record<string, string>>) => memoryRooms({ read: (path) => files[path] });
const of = (kind: MemoryRoom['of'], rooms: readonly MemoryRoom[]) => rooms.filter((room) => room.of === kind);

test('of the machine: what the kernel says is available, and swap', () => {
  const meminfo = 'MemTotal:       24683928 kB\nMemFree:        1 kB\nMemAvailable:   2048 kB\n';
  const limitBytes = 24_683_928 * 1_024;
  assert.deepEqual(reading({ '/proc/meminfo': meminfo }), [{ of: 'machine', limitBytes, freeBytes: 2 * mega }]);
  assert.deepEqual(reading({ '/proc/meminfo': `${meminfo}SwapFree:   1024 kB\n` }), [{ of: 'machine', limitBytes, freeBytes: 3 * mega }]);
});

test('of the process: what is mapped counts against RLIMIT_AS, where there is one', () => {
  const limits = (most: string) =>
    `Limit                     Soft Limit           Hard Limit           Units\nMax address space         ${most}  bytes\n`;
  const files = { '/proc/self/status': 'VmPeak:\t 9 kB\nVmSize:\t 1048576 kB\n' };
  assert.deepEqual(reading({ ...files, '/proc/self/limits': limits(`${2 * giga} unlimited`) }), [
    { of: 'address space', limitBytes: 2 * giga, freeBytes: giga },
  ]);
  assert.deepEqual(reading({ ...files, '/proc/self/limits': limits('unlimited unlimited') }), []);
  const held = (free: number, limit: number) =>
    memoryRooms({ read: (path) => ({ ...files, '/proc/self/limits': limits(`${limit} unlimited`) })[path], heldFree: () => free })[0]
      ?.freeBytes;
  assert.equal(held(7, 2 * giga), giga + 7, 'the allocator has some');
  assert.equal(held(giga, giga + mega), 4 * mega, 'and nobody else');
});

const slice = '/sys/fs/cgroup/mesh.slice';

test('of a cgroup of version 2: each level above counts, and of file cache what the kernel takes back first', () => {
  const files = {
    '/proc/self/cgroup': '0::/mesh.slice/gateway:1.service\n',
    '/sys/fs/cgroup/cgroup.controllers': 'cpu memory\n',
    [`${slice}/memory.max`]: `${giga}\n`,
    [`${slice}/memory.high`]: 'max\n',
    [`${slice}/memory.current`]: `${giga - 100 * mega}\n`,
    [`${slice}/memory.stat`]: `anon 1\ninactive_file ${50 * mega}\nactive_file ${20 * mega}\nslab_reclaimable ${2 * mega}\n`,
    [`${slice}/gateway:1.service/memory.max`]: 'max\n',
    [`${slice}/gateway:1.service/memory.current`]: '1\n',
  };
  assert.deepEqual(reading(files), [{ of: 'cgroup', limitBytes: giga, freeBytes: 161 * mega }]);
  const slowed = { ...files, [`${slice}/memory.high`]: `${giga - 50 * mega}\n` };
  assert.deepEqual(reading(slowed), [{ of: 'cgroup', limitBytes: giga - 50 * mega, freeBytes: 111 * mega }]);
});

test('of a cgroup of version 2 beside version 1, which has a folder of its own', () => {
  const root = '/sys/fs/cgroup/unified';
  const files = {
    '/proc/self/cgroup': '1:cpu:/a\n0::/\n',
    [`${root}/memory.max`]: `${giga}\n`,
    [`${root}/memory.current`]: `${mega}\n`,
  };
  assert.deepEqual(reading(files), [{ of: 'cgroup', limitBytes: giga, freeBytes: giga - mega }]);
});

test('of a cgroup of version 1, in a container that sees its own as the root', () => {
  const root = '/sys/fs/cgroup/memory';
  const files = {
    '/proc/self/cgroup': '5:cpu,cpuacct:/\n4:memory:/docker/abc\n0::/\n',
    [`${root}/memory.limit_in_bytes`]: `${512 * mega}\n`,
    [`${root}/memory.usage_in_bytes`]: `${600 * mega}\n`,
  };
  assert.deepEqual(reading(files), [{ of: 'cgroup', limitBytes: 512 * mega, freeBytes: 0 }]);
  const cached = {
    ...files,
    [`${root}/memory.usage_in_bytes`]: `${512 * mega}\n`,
    [`${root}/memory.stat`]: `total_inactive_file ${3 * mega}\n`,
  };
  assert.deepEqual(reading(cached), [{ of: 'cgroup', limitBytes: 512 * mega, freeBytes: 3 * mega }]);
  assert.deepEqual(reading({ ...files, [`${root}/memory.limit_in_bytes`]: '9223372036854771712\n' }), []);
});

test("what cannot be read, and is there, is nobody's word that there is no limit", () => {
  const read = () => {
    throw new Error('EMFILE');
  };
  assert.throws(() => memoryRooms({ read }), /EMFILE/);
});

test('nothing, or garbage, is no limit; this machine has one', () => {
  assert.deepEqual(reading({}), []);
  const garbage = Object.fromEntries(
    ['/proc/meminfo', '/proc/self/limits', '/proc/self/status', '/proc/self/cgroup', '/sys/fs/cgroup/memory.max'].map((path) => [
      path,
      'x:\n::',
    ]),
  );
  assert.deepEqual(reading(garbage), []);
  const [machine] = of('machine', memoryRooms());
  assert.ok(machine !== undefined && machine.freeBytes > 0 && machine.freeBytes < machine.limitBytes);
});
