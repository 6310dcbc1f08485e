import assert from 'node:assert/strict';
import { test } from 'node:test';
import { envoyOrder, envoyTypeUrls, nativeOrder, nativeTypeUrls } from '../../../core/xds/index.ts';

test('what others refer to goes first, and every type has its place', () => {
  const { secret, cluster, loadAssignment, listener, route } = envoyTypeUrls;
  assert.deepEqual(envoyOrder, [secret, cluster, loadAssignment, listener, route]);
  assert.deepEqual([...nativeOrder].sort(), Object.values(nativeTypeUrls).sort());
  assert.equal(nativeOrder[0], nativeTypeUrls.bundle);
});
