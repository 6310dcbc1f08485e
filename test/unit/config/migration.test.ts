import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parserFor, sharedParserFor } from '../../../control/assemble/objects.ts';
import { objectKinds, parseConfig, parseObject } from '../../../control/config/index.ts';
import { appliableKinds, type MigrationSpec } from '../../../core/config/index.ts';
import { formatViolation } from '../../../core/validate.ts';

const whole = { service: 'orders', from: { registry: 'consul/dc1' }, to: { registry: 'kubernetes/prod' } };
const shift = {
  service: 'orders',
  from: { cluster: 'east', registry: 'consul/dc1' },
  to: { cluster: 'west', registry: 'kubernetes/prod' },
  weight: 0,
  mirrorPercent: 12.5,
};

function document(kind: string, spec: unknown) {
  const value = { apiVersion: 'isthmus.dev/v1alpha1', kind, metadata: { name: 'orders', namespace: 'shop' }, spec };
  return { file: 'migration.yaml', value, lineOf: () => 1 };
}

function migration(spec: object): MigrationSpec {
  const { located, violations } = parseObject(document('Migration', { ...whole, ...spec }), '/');
  assert.deepEqual(violations.map(formatViolation), []);
  return located?.object.spec as MigrationSpec;
}

test('a TrafficShift is what control planes write for each other', () => {
  const read = sharedParserFor('mesh.test')(document('TrafficShift', shift));
  assert.deepEqual(read.ok && read.value, {
    kind: 'TrafficShift',
    name: 'orders',
    namespace: 'shop',
    group: 'isthmus.dev',
    scope: 'mesh',
    spec: shift,
  });
  const wrong = parseObject(document('TrafficShift', { ...shift, weight: 100.5, mirrorPercent: '1' }), '/', 'control-planes');
  assert.deepEqual(
    wrong.violations.map((each) => each.path),
    ['spec.weight', 'spec.mirrorPercent'],
  );
});

test('nobody else writes a TrafficShift: not through the API, not in files, not in Kubernetes', () => {
  const said = 'TrafficShift is not for people to write: it is written by the Migration of the same name';
  const applied = parserFor('mesh.test')(document('TrafficShift', shift));
  assert.deepEqual(!applied.ok && applied.violations.map((each) => each.message), [said]);
  const text = JSON.stringify(document('TrafficShift', shift).value);
  const files = parseConfig([{ file: 'shift.yaml', text }]);
  assert.deepEqual(!files.ok && files.violations.map((each) => each.message), [said]);
  for (const kinds of [objectKinds, appliableKinds]) {
    assert.ok(!kinds.some((each) => each.kind === 'TrafficShift'));
    assert.ok(kinds.some((each) => each.kind === 'Migration'));
  }
});

test('steps take what all of them share from the spec, and a weight alone is a step', () => {
  const { steps } = migration({ bake: '2m', steps: [0.1, { weight: 50, bake: '1h', approval: true }, { weight: 100 }] });
  assert.deepEqual(steps, [
    { weight: 0.1, bakeMs: 120_000, approval: false },
    { weight: 50, bakeMs: 3_600_000, approval: true },
    { weight: 100, bakeMs: 120_000, approval: false },
  ]);
});

test('who is asked answers within an interval, whether that is said or not', () => {
  const gates = [{ name: 'p', type: 'prometheus', url: 'http://127.0.0.1:9090', query: 'up', min: 1 }];
  const timeoutOf = (spec: object) => migration({ gates, ...spec }).gates.map((each) => 'timeoutMs' in each && each.timeoutMs);
  assert.deepEqual(timeoutOf({}), [5000]);
  assert.deepEqual(timeoutOf({ interval: '2s' }), [2000]);
  const slow = parseObject(document('Migration', { ...whole, gates: [{ ...gates[0], timeout: '20s' }] }), '/');
  assert.deepEqual(
    slow.violations.map((each) => each.path),
    ['spec.gates[0].timeout'],
  );
});

test('a share means the same as percent and as a number', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), (hundredths) => {
      const gate = (max: unknown) => migration({ gates: [{ name: 'e', type: 'errorRate', max }] }).gates[0];
      assert.deepEqual(gate(`${hundredths / 100}%`), gate(hundredths / 10_000));
    }),
  );
});

test('weights that rise in tenths to 100 are taken as they are', () => {
  const weights = fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 20 });
  fc.assert(
    fc.property(weights, (tenths) => {
      const steps = [...tenths.sort((a, b) => a - b), 1000].map((each) => each / 10);
      assert.deepEqual(
        migration({ steps }).steps.map((each) => each.weight),
        steps,
      );
    }),
  );
});

test('whatever a Migration holds is taken or refused, and never thrown at', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...Object.keys(whole), 'steps', 'gates', 'interval', 'dependsOn', 'drain'), fc.jsonValue()),
      (spec) => {
        const { located, violations } = parseObject(document('Migration', spec), '/');
        assert.equal(located === undefined, violations.length > 0);
      },
    ),
  );
});
