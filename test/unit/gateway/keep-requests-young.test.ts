import assert from 'node:assert/strict';
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { test } from 'node:test';
import { keepRequestsYoung } from '../../../gateway/keep-requests-young.ts';

/** What a function is called with, and where. */
function seen(storage: AsyncLocalStorage<string>) {
  return function (this: unknown, ...args: unknown[]) {
    return { self: this, args, store: storage.getStore() };
  };
}

for (const how of ["Node's", 'ours'] as const) {
  test(`a function bound to an AsyncResource is called in its context, with what it is called with: ${how}`, (t) => {
    const before = AsyncResource.prototype.bind;
    t.after(() => {
      AsyncResource.prototype.bind = before;
    });
    if (how === 'ours') {
      keepRequestsYoung();
      keepRequestsYoung();
      assert.notEqual(AsyncResource.prototype.bind, before);
    }
    const storage = new AsyncLocalStorage<string>();
    const fn = seen(storage);
    const [bound, fixed] = storage.run('inside', () => {
      const resource = new AsyncResource('Test');
      // Its types leave the second parameter out.
      return [resource.bind(fn), Reflect.apply(resource.bind, resource, [fn, 'fixed']) as typeof fn];
    });
    const self = {};
    assert.deepEqual(
      storage.run('outside', () => bound.call(self, 1, 2)),
      { self, args: [1, 2], store: 'inside' },
    );
    assert.deepEqual(fixed.call(self, 3), { self: 'fixed', args: [3], store: 'inside' });
    const statically = storage.run('static', () => AsyncResource.bind(fn));
    assert.equal(storage.run('outside', () => statically.call(self)).store, 'static');
    const failing = new AsyncResource('Test').bind(() => {
      throw new Error('as it was thrown');
    });
    assert.throws(failing, /as it was thrown/);
    assert.throws(() => new AsyncResource('Test').bind(1 as never), TypeError);
  });
}
