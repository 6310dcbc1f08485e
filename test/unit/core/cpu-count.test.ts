import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuCount } from '../../../core/cpu-count.ts';

test('as many as there are CPUs, or as the container may take of them, and one at least', () => {
  assert.equal(cpuCount(64, 'max 100000\n'), 64);
  assert.equal(cpuCount(64, '100000 100000\n'), 1);
  assert.equal(cpuCount(64, '150000 100000\n'), 2);
  assert.equal(cpuCount(2, '800000 100000\n'), 2);
  assert.equal(cpuCount(8, '5000 100000\n'), 1);
  for (const none of ['', 'garbage', '100000', '1 0', '-1 100000']) assert.equal(cpuCount(8, none), 8);
  assert.ok(cpuCount() >= 1);
});
