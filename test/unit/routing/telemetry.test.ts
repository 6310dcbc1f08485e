import assert from 'node:assert/strict';
import test from 'node:test';
import type { TrafficObject } from '../../../core/config/index.ts';
import { codes, modelOf } from '../../support/traffic-model.ts';
import { telemetry } from '../../support/traffic-objects.ts';

const loggingOf = (objects: readonly TrafficObject[], namespace: string, labels: Record<string, string> = {}) =>
  modelOf(objects, []).clients.logging({ namespace, labels });
const off = { enabled: false };
const on = { enabled: true };

test('of each side the nearest Telemetry that speaks of it counts, and in it the last entry', () => {
  const objects = [
    telemetry('isthmus-system/all', [{ side: 'both', disabled: true }]),
    telemetry('shop/own', [
      { side: 'both', disabled: false },
      { side: 'server', disabled: false, filter: 'response.code >= 400' },
    ]),
    telemetry('shop/till', [{ side: 'client', disabled: true }], { app: 'till' }),
  ];
  assert.deepEqual(loggingOf(objects, 'bank'), { client: off, server: off });
  assert.deepEqual(loggingOf(objects, 'shop'), { client: on, server: { ...on, filter: 'response.code >= 400' } });
  assert.deepEqual(loggingOf(objects, 'shop', { app: 'till' }), { client: off, server: { ...on, filter: 'response.code >= 400' } });
});

test('where everything is logged nothing is said', () => {
  assert.equal(loggingOf([], 'shop'), undefined);
  assert.equal(loggingOf([telemetry('shop/a', [])], 'shop'), undefined);
  const back = [
    telemetry('isthmus-system/off', [{ side: 'both', disabled: true }]),
    telemetry('shop/on', [{ side: 'both', disabled: false }]),
  ];
  assert.equal(loggingOf(back, 'shop'), undefined);
});

test('of two for one namespace the older counts', () => {
  const objects = [telemetry('shop/a', [], {}, 2), telemetry('shop/b', [{ side: 'both', disabled: true }])];
  assert.deepEqual(loggingOf(objects, 'shop'), { client: off, server: off });
  assert.deepEqual(codes(modelOf(objects, [])), ['conflict Telemetry shop/a spec']);
});
