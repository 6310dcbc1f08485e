import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { firstByte } from '../../../gateway/engine/node/first-byte.ts';

test('a caller whose end was read while its endpoint was dialled has ended, and nobody waits for it again', async () => {
  const [downstream, upstream] = [new PassThrough(), new PassThrough()];
  const ended = once(downstream, 'end');
  downstream.end();
  downstream.resume();
  await ended;
  assert.deepEqual(await firstByte(downstream, upstream, true), { kind: 'downstream-ended' });
});
