import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SocketRow, SocketState } from '../../../core/os/socket-row.ts';
import { CallerMemory, callerRetentionMs } from '../../../sidecar-vm/sockets/caller-memory.ts';
import { findConnections } from '../../../sidecar-vm/sockets/find-connections.ts';

let inodes = 100;
function row(local: string, remote: string, state: SocketState = 'open', more: Partial<SocketRow> = {}): SocketRow {
  const [localAddress = '', localPort = ''] = local.split('>')[0]?.split('@') ?? [];
  const [remoteAddress = '', remotePort = ''] = remote.split('@');
  inodes += 1;
  return {
    localAddress,
    localPort: Number(localPort),
    remoteAddress,
    remotePort: Number(remotePort),
    state,
    uid: 0,
    inode: inodes,
    ...more,
  };
}
const listen = (at: string) => row(at, '0.0.0.0@0', 'listening');
const inbound = { address: '10.0.0.1', port: 80, inbound: true };
const seen = (rows: readonly SocketRow[], watched = inbound) =>
  findConnections(rows, watched).connections.map(
    ({ address, local, open }) => `${address}${local === undefined ? '' : ' local'}${open ? '' : ' over'}`,
  );

test('callers of other machines count from the handshake to the minute after; the listener and other ports do not', () => {
  const rows = [
    listen('0.0.0.0@80'),
    row('10.0.0.1@80', '10.0.0.7@5000'),
    row('10.0.0.1@80', '10.0.0.8@5000', 'closed', { inode: 0 }),
    row('10.0.0.1@81', '10.0.0.9@5000'),
    row('10.0.0.1@5000', '10.0.0.9@80'),
  ];
  assert.deepEqual(seen(rows), ['10.0.0.7', '10.0.0.8 over']);
});

test('a program of the machine is known by its own end, and gone with it, whatever the app does', () => {
  const alive = [listen('0.0.0.0@80'), row('127.0.0.1@80', '127.0.0.1@4000'), row('127.0.0.1@4000', '127.0.0.1@80')];
  assert.deepEqual(seen(alive), ['127.0.0.1 local']);
  const gone = [listen('0.0.0.0@80'), row('127.0.0.1@80', '127.0.0.1@4000'), row('127.0.0.1@4000', '127.0.0.1@80', 'closed', { inode: 0 })];
  assert.deepEqual(seen(gone), []);
  assert.deepEqual(seen([listen('0.0.0.0@80'), row('10.0.0.1@80', '10.0.0.1@4000')]), [], 'its row may have gone while the table was read');
});

test('where another program listens on the same port of another address, its callers are its own; a wildcard has all the others', () => {
  const rows = [listen('10.0.0.1@80'), listen('10.0.0.2@80'), row('10.0.0.1@80', '10.9.0.1@1'), row('10.0.0.2@80', '10.9.0.2@1')];
  assert.deepEqual(seen(rows), ['10.9.0.1']);
  const wild = [listen('0.0.0.0@80'), listen('10.0.0.2@80'), row('10.0.0.3@80', '10.9.0.3@1'), row('10.0.0.2@80', '10.9.0.2@1')];
  assert.deepEqual(seen(wild), ['10.9.0.3']);
  assert.equal(findConnections([listen('10.0.0.2@80')], inbound).listener, undefined);
  assert.deepEqual(seen([row('10.0.0.2@80', '10.9.0.2@1')]), ['10.9.0.2'], 'after its listener a connection may still be there');
});

test('seen from the callers’ machine: whoever has a socket to the endpoint', () => {
  const rows = [
    row('10.0.0.5@4000', '10.0.0.1@80', 'connecting'),
    row('10.0.0.5@4001', '10.0.0.1@80', 'closed', { inode: 0 }),
    row('10.0.0.5@80', '10.0.0.1@90'),
  ];
  assert.deepEqual(seen(rows, { ...inbound, inbound: false }), ['10.0.0.5 local']);
});

test('callers are remembered for as long as is said, counted anew at each look, and bounded', () => {
  const memory = new CallerMemory();
  const of = (address: string, open = true) => ({ address, program: '', open });
  memory.note([of('a'), of('a'), of('b')], 0);
  assert.deepEqual(
    memory.report(10).callers.map((c) => [c.address, c.connections, c.idleMs]),
    [
      ['a', 2, 10],
      ['b', 1, 10],
    ],
  );
  memory.note([of('b', false)], 1_000);
  assert.deepEqual(
    memory.report(1_000).callers.map((c) => [c.address, c.connections, c.idleMs]),
    [
      ['b', 0, 0],
      ['a', 0, 1_000],
    ],
  );
  memory.note([], 1_000 + callerRetentionMs);
  assert.deepEqual(
    memory.report(1_000 + callerRetentionMs).callers.map((c) => c.address),
    ['b'],
  );
  memory.note(
    Array.from({ length: 10_000 }, (_, n) => of(`c${n}`)),
    2_000 + callerRetentionMs,
  );
  const { callers, more } = memory.report(2_000 + callerRetentionMs);
  assert.deepEqual([callers.length, more], [64, 10_000 - 64]);
});
