import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { MeshError } from '../../../core/errors.ts';
import { connectingUid, originalDestination, readTable, socketFd, type TcpPair } from '../../../core/os/index.ts';
import { cannotBeOthers, runAs } from '../../support/other-user.ts';

const noDiag = () => {
  throw new MeshError('UNSUPPORTED', 'no sock_diag in this test');
};

async function listen(t: TestContext, host: string): Promise<{ readonly port: number; accept(): Promise<Socket> }> {
  const server: Server = createServer({ allowHalfOpen: true });
  server.listen(0, host);
  t.after(() => server.close());
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async accept() {
      const [socket] = (await once(server, 'connection')) as [Socket];
      socket.on('error', () => {});
      t.after(() => socket.destroy());
      return socket;
    },
  };
}

/** The other end's view of what was accepted. */
function otherEnd(socket: Socket): TcpPair {
  return {
    local: { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
    remote: { address: socket.localAddress ?? '', port: socket.localPort ?? 0 },
  };
}

for (const [listenAt, dial] of [
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '::1'],
  ['::', '127.0.0.1'],
] as const) {
  test(`the uid of who connects to ${dial}, accepted at ${listenAt}`, async (t) => {
    const { port, accept } = await listen(t, listenAt);
    const accepted = accept();
    const client = connect(port, dial);
    t.after(() => client.destroy());
    const socket = await accepted;
    const pair = otherEnd(socket);
    assert.equal(await connectingUid(pair), process.getuid?.());
    assert.equal(await connectingUid(pair, noDiag), process.getuid?.());
    // Nobody holds such a connection.
    const other = { ...pair, remote: { ...pair.remote, port: pair.remote.port ^ 1 } };
    assert.equal(await connectingUid(other), undefined);
    assert.equal(await connectingUid(other, noDiag), undefined);
    // Netfilter changed nothing here.
    const before = originalDestination(socketFd(socket) ?? -1);
    assert.ok(before === undefined || before.port === port, JSON.stringify(before));
  });
}

test('several users at once, and who has gone is never taken for root', { skip: cannotBeOthers }, async (t) => {
  const { port, accept } = await listen(t, '127.0.0.1');
  for (const uid of [61_001, 61_002]) {
    const accepted = accept();
    const { child, kill } = runAs(
      { uid, gid: uid },
      `const s = require('net').connect(${port}, '127.0.0.1'); process.stdin.once('data', () => { s.end(); s.destroy(); console.log('gone'); });`,
    );
    t.after(kill);
    const socket = await accepted;
    const pair = otherEnd(socket);
    assert.deepEqual([await connectingUid(pair), await connectingUid(pair, noDiag)], [uid, uid]);
    child.stdin?.write('go');
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    for (const found of [await connectingUid(pair), await connectingUid(pair, noDiag)])
      assert.ok(found === undefined || found === uid, `${found}`);
    // Closed on this side too: what is left is TIME_WAIT, which the kernel shows as root's.
    socket.end();
    socket.resume();
    await once(socket, 'close');
    for (const found of [await connectingUid(pair), await connectingUid(pair, noDiag)])
      assert.ok(found === undefined || found === uid, `${found}`);
  }
});

test('the kernel answers for each connection what its table says', async (t) => {
  const { port, accept } = await listen(t, '127.0.0.1');
  const clients: Socket[] = [];
  t.after(() => {
    for (const client of clients) client.destroy();
  });
  for (let count = 0; count < 50; count++) {
    const accepted = accept();
    clients.push(connect(port, '127.0.0.1'));
    await accepted;
  }
  const reading = await readTable(new Set([port]));
  assert.ok('rows' in reading);
  const open = reading.rows.filter((row) => row.state === 'open');
  assert.equal(open.length, 100);
  for (const row of open) {
    const pair = {
      local: { address: row.localAddress, port: row.localPort },
      remote: { address: row.remoteAddress, port: row.remotePort },
    };
    assert.equal(await connectingUid(pair), row.uid);
  }
});
