import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseRow } from '../../../core/os/socket-row.ts';
import { readTable } from '../../../core/os/socket-table.ts';

const v4 = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 0, max: 255 })));
const port = fc.integer({ min: 0, max: 65_535 });
const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, '0');

/** As the kernel of a little-endian machine prints it: include/net/tcp.h, tcp4_seq_show and tcp6_seq_show. */
function v4Hex(bytes: readonly number[]): string {
  return [...bytes]
    .reverse()
    .map((byte) => hex(byte, 2))
    .join('');
}

function v6Hex(bytes: readonly number[]): string {
  return [0, 4, 8, 12].map((at) => v4Hex(bytes.slice(at, at + 4))).join('');
}

const row = (local: string, remote: string, { state = '01', uid = 1000, inode = 4711 } = {}) =>
  `  12: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000 ${String(uid).padStart(5)}        0 ${inode} 1 0000000000000000 20 4 30 10 -1`;

test('whatever the kernel prints is read: IPv4, IPv6, and IPv4 in IPv6 as IPv4', () => {
  fc.assert(
    fc.property(v4, port, v4, port, fc.nat(), fc.nat(), (local, localPort, remote, remotePort, uid, inode) => {
      const expected = { localAddress: local.join('.'), localPort, remoteAddress: remote.join('.'), remotePort, state: 'open', uid, inode };
      const plain = row(`${v4Hex(local)}:${hex(localPort, 4)}`, `${v4Hex(remote)}:${hex(remotePort, 4)}`, { uid, inode });
      assert.deepEqual(parseRow(plain, true), expected);
      const mapped = (bytes: readonly number[]) => v6Hex([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...bytes]);
      const six = row(`${mapped(local)}:${hex(localPort, 4)}`, `${mapped(remote)}:${hex(remotePort, 4)}`, { uid, inode });
      assert.deepEqual(parseRow(six, true), expected);
    }),
  );
  const loopback = '00000000000000000000000001000000';
  const doc = 'B80D0120000000000000000001000000';
  const read = parseRow(row(`${loopback}:1F90`, `${doc}:0050`, { state: '08' }), true);
  assert.deepEqual([read?.localAddress, read?.remoteAddress, read?.localPort, read?.state], ['::1', '2001:db8::1', 8080, 'open']);
  assert.equal(parseRow(row('7F000001:1F90', '0A000001:0050'), false)?.remoteAddress, '10.0.0.1');
});

test('garbage is no row, and never throws', () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(200), fc.nat(200), (noise, cut, at) => {
      const good = row('0100007F:1F90', '0100007F:C001');
      parseRow(noise);
      parseRow(good.slice(0, cut));
      const read = parseRow(good.slice(0, at) + noise + good.slice(at));
      if (read !== undefined) assert.ok(read.localPort <= 65_535 && Number.isSafeInteger(read.uid));
    }),
  );
  for (const bad of [
    '',
    '  sl  local_address rem_address   st',
    row('0100007F:1F90', '0100007F:C001', { state: 'FF' }),
    row('0100007F:1F90', `${'0'.repeat(32)}:0000`),
  ])
    assert.equal(parseRow(bad), undefined, bad);
});

test('a large table is read in pieces and gives the rows of the ports alone; one without an end is a fault', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-'));
  t.after(() => rm(folder, { recursive: true }));
  const of = (n: number, local: string) => row(`0100007F:${local}`, `${v4Hex([10, 1, n >> 8, n & 255])}:C001`);
  const others = Array.from({ length: 40_000 }, (_, n) => of(n, '1F91'));
  const lines = ['  sl  local_address rem_address', ...others, ...Array.from({ length: 300 }, (_, n) => of(n, '1F90')), of(7, '1F90')];
  await writeFile(join(folder, 'tcp'), lines.join('\n'));
  const reading = await readTable(new Set([8080]), folder, 'linux');
  assert.ok('rows' in reading);
  assert.equal(reading.rows.length, 300, 'each once');
  assert.ok(reading.rows.every(({ localPort }) => localPort === 8080));
  await writeFile(join(folder, 'tcp6'), `${'x'.repeat(1 << 20)}\n`.repeat(65));
  const endless = await readTable(new Set([8080]), folder, 'linux');
  assert.match('fault' in endless ? endless.fault : '', /too large/);
  await rm(join(folder, 'tcp6'));
  await rm(join(folder, 'tcp'));
  const none = await readTable(new Set([8080]), folder, 'linux');
  assert.match('fault' in none ? none.fault : '', /is \/proc mounted/);
  const mac = await readTable(new Set([8080]), folder, 'darwin');
  assert.match('fault' in mac ? mac.fault : '', /Linux alone/);
});
