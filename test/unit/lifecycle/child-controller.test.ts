import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { childController, runGroup } from '../../../core/lifecycle.ts';

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

test('children of one signal cost it one listener, and none once the last has gone', () => {
  const parent = new AbortController();
  const children = Array.from({ length: 50 }, () => childController(parent.signal));
  assert.equal(listeners(parent.signal), 1);
  for (const { release } of children) release();
  assert.equal(listeners(parent.signal), 0);
  const late = childController(parent.signal);
  // Of a family that has ended: nothing to the next one.
  for (const { release } of children) release();
  parent.abort('over');
  assert.equal(late.controller.signal.reason, 'over');
  assert.ok(children.every(({ controller }) => !controller.signal.aborted));
});

test('what is released while its parent aborts is left alone, and what comes after is aborted at once', () => {
  const parent = new AbortController();
  const first = childController(parent.signal);
  const second = childController(parent.signal);
  first.controller.signal.addEventListener('abort', () => second.release());
  parent.abort('over');
  assert.equal(first.controller.signal.aborted, true);
  assert.equal(second.controller.signal.aborted, false);
  assert.equal(childController(parent.signal).controller.signal.reason, 'over');
  assert.equal(listeners(parent.signal), 0);
});

test('each task of a group has a signal of its own, and the first failure ends them all', async () => {
  const parent = new AbortController();
  const signals = new Set<AbortSignal>();
  const wait = (signal: AbortSignal) => {
    signals.add(signal);
    return new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(new Error('ended')), { once: true }));
  };
  const fail = () => Promise.reject(new Error('broken'));
  await assert.rejects(runGroup(parent.signal, [wait, wait, wait, fail]), { message: 'broken' });
  assert.equal(signals.size, 3);
  assert.equal(listeners(parent.signal), 0);
  const going = runGroup(parent.signal, [wait, wait]);
  parent.abort(new Error('stop'));
  await going;
});
