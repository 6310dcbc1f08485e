import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReportPace } from '../../../control/telemetry/traffic/index.ts';

test('proxies are asked to report sooner than usual, never much sooner, and never later', () => {
  const pace = new ReportPace();
  const asked = (everyMs: number | undefined) => {
    pace.hurry(everyMs);
    return [pace.nextMs, pace.everyMs];
  };
  assert.deepEqual(asked(undefined), [0, 5_000]);
  assert.deepEqual(asked(1_000.4), [1_000, 1_000]);
  assert.deepEqual(asked(10), [500, 500]);
  // Half of an interval of an hour.
  assert.deepEqual(asked(1_800_000), [0, 5_000]);
});
