import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { cannotBeOthers, runAs } from '../../support/other-user.ts';
import { until } from '../../support/until.ts';
import { begun } from './gateway-process.ts';

const node = ['--engine', 'node'];

test('whoever says what is no message gets nothing, and holds nobody up', async (t) => {
  const { site, first } = await begun(t, ...node);
  const { mode } = await stat(site.socket);
  assert.equal(mode & 0o777, 0o600);
  assert.equal((await stat(dirname(site.socket))).mode & 0o777, 0o700);
  const say = async (bytes: Buffer | string) => {
    const socket = connect(site.socket);
    socket.on('error', () => {});
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.write(bytes);
    await once(socket, 'close');
    return answer;
  };
  const wrong = [
    randomBytes(3_000),
    '[]\n',
    '{"say":"take"}\n',
    `${'{"say":"x"}\n'.repeat(10_000)}`,
    Buffer.alloc(1_000_000, 'a'),
    'null\n{}\n',
  ];
  for (const bytes of wrong) assert.doesNotMatch(await say(bytes), /"sockets"/);
  const silent = Array.from({ length: 12 }, () => connect(site.socket).on('error', () => {}));
  await Promise.all(silent.slice(0, 4).map((socket) => once(socket, 'connect')));
  await site.exchange(Buffer.from('meanwhile'));
  for (const socket of silent) socket.destroy();
  await until('another one', () => site.gateway(...node));
  assert.equal(await first.exit, 0);
});

test('another user gets nothing, also where the folder would let it through', { skip: cannotBeOthers }, async (t) => {
  const { site, first } = await begun(t, ...node);
  const asking = `const s = require('node:net').connect(${JSON.stringify(site.socket)}); let seen = '';
    s.on('error', (e) => { seen = e.code; }); s.on('data', (d) => { seen += d; }); s.on('close', () => { console.log('got ' + seen); });
    s.write('{"say":"take","kind":"gateway","instance":"gw-1"}\\n');`;
  const ask = async () => {
    const { child } = runAs({ uid: 61_001, gid: 61_001 }, asking);
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    await once(child, 'close');
    return text.trim();
  };
  assert.equal(await ask(), 'got EACCES');
  await chmod(dirname(site.socket), 0o711);
  await chmod(site.socket, 0o666);
  assert.match(await ask(), /^got (|EPIPE|ECONNRESET)$/);
  assert.ok(first.log.some((line) => line.includes('nothing is handed over to another user') && line.includes('61001')));
  const shown = site.spawn(...node);
  assert.notEqual(await shown.exit, 0);
  assert.match(shown.log.join('\n'), /has mode 711/);
  await site.exchange(Buffer.from('still'));
});
