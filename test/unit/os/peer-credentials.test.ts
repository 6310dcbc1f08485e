import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { peerCredentials, peerGroups, socketFd } from '../../../core/os/index.ts';
import { cannotBeOthers, runAs } from '../../support/other-user.ts';

async function listen(t: TestContext): Promise<{ readonly path: string; accept(): Promise<Socket> }> {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-os-'));
  await chmod(folder, 0o755);
  const server = createServer();
  t.after(async () => {
    server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const path = join(folder, 's');
  server.listen({ path, readableAll: true, writableAll: true });
  await once(server, 'listening');
  return {
    path,
    async accept() {
      const [socket] = (await once(server, 'connection')) as [Socket];
      t.after(() => socket.destroy());
      return socket;
    },
  };
}

function fdOf(socket: Socket): number {
  const fd = socketFd(socket);
  assert.ok(fd !== undefined);
  return fd;
}

test('whoever connects a Unix socket is known by process, user and group', async (t) => {
  const { path, accept } = await listen(t);
  const accepted = accept();
  const client = connect(path);
  t.after(() => client.destroy());
  const socket = await accepted;
  assert.deepEqual(peerCredentials(fdOf(socket)), { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() });
  // Node names the group itself among them, the kernel does not.
  const gid = process.getgid?.() ?? 0;
  assert.deepEqual(new Set([gid, ...peerGroups(fdOf(socket))]), new Set([gid, ...(process.getgroups?.() ?? [])]));
  socket.destroy();
  await once(socket, 'close');
  assert.equal(socketFd(socket), undefined);
});

test('several users at once are never taken for one another, and more groups than the first guess are all told', {
  skip: cannotBeOthers,
}, async (t) => {
  const { path, accept } = await listen(t);
  const many = Array.from({ length: 100 }, (_, at) => 70_000 + at);
  for (const user of [
    { uid: 61_001, gid: 62_001, groups: [62_001, 63_001] },
    { uid: 61_002, gid: 62_002, groups: [] },
    { uid: 61_003, gid: 62_003, groups: many },
  ]) {
    const accepted = accept();
    const { child, kill } = runAs(user, `require('net').connect(${JSON.stringify(path)}); process.stdin.resume();`);
    t.after(kill);
    const fd = fdOf(await accepted);
    assert.deepEqual(peerCredentials(fd), { pid: child.pid, uid: user.uid, gid: user.gid });
    assert.deepEqual([...peerGroups(fd)].sort(), [...user.groups].sort());
  }
});

test('a TCP socket has no peer of this kind', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  t.after(() => client.destroy());
  const [socket] = await accepted;
  t.after(() => socket.destroy());
  assert.throws(() => peerCredentials(fdOf(socket)), { code: 'INTERNAL' });
});
