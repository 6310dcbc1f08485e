import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectGarbage } from '../../../core/collect-garbage.ts';

test('what nobody has any more is gone once it resolves, time after time', async () => {
  for (let i = 0; i < 3; i++) {
    const gone = new WeakRef({ bytes: Buffer.alloc(1 << 20) });
    await new Promise(setImmediate);
    await collectGarbage();
    assert.equal(gone.deref(), undefined);
  }
});
