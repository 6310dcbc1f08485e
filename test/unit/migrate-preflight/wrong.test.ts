import assert from 'node:assert/strict';
import test from 'node:test';
import { preflight } from '../../../control/migrate/preflight/index.ts';
import { factsOf, goodScene, migrationOf } from '../../support/preflight-scene.ts';
import { wrongCallers } from './wrong-callers.ts';
import { wrongGates } from './wrong-gates.ts';
import { wrongIdentities } from './wrong-identities.ts';
import { wrongOrder } from './wrong-order.ts';
import { wrongPlaces } from './wrong-places.ts';
import type { WrongRow } from './wrong-row.ts';
import { wrongTimes } from './wrong-times.ts';

const rows: readonly WrongRow[] = [...wrongPlaces, ...wrongIdentities, ...wrongCallers, ...wrongGates, ...wrongTimes, ...wrongOrder];

const request = {
  namespace: 'shop',
  service: 'orders',
  from: { cluster: '', registry: 'consul/dc1' },
  to: { cluster: '', registry: 'kubernetes/prod' },
};

function judged({ scene: change, request: other, migration, spec }: WrongRow) {
  const scene = goodScene();
  change?.(scene);
  const written = migration === undefined && spec === undefined ? undefined : migrationOf(migration);
  const whole = written === undefined ? {} : { spec: { ...written, ...spec?.(written) } };
  return preflight({ ...request, ...whole, ...other }, factsOf(scene));
}

for (const row of rows) {
  test(`wrong: ${row.title}`, () => {
    const { checks, violations } = judged(row);
    const bad = checks.filter((c) => c.ok !== 'pass');
    assert.deepEqual(
      bad.map((c) => [c.name, c.ok]),
      row.expect.map(([name, ok]) => [name, ok]),
      bad.map((c) => `${c.name} ${c.ok}: ${c.message} | ${c.fix}`).join('\n'),
    );
    for (const [i, [, , message, fix]] of row.expect.entries()) {
      assert.ok(bad[i]?.message.includes(message), `${bad[i]?.message}`);
      assert.ok(bad[i]?.fix.includes(fix) && bad[i]?.fix !== '', `${bad[i]?.fix}`);
    }
    assert.deepEqual(
      violations,
      bad.filter((c) => c.ok === 'fail').map((c) => ({ path: c.path, message: `${c.message}. To mend it: ${c.fix}` })),
    );
  });
}

test('the table has more wrong migrations than anybody makes on one day, each another', () => {
  const titles = rows.map((row) => row.title);
  assert.equal(new Set(titles).size, titles.length);
  assert.ok(titles.length >= 45);
});

test('everything that is wrong is said at once', () => {
  const scene = goodScene();
  for (const row of rows.filter((r) => ['a network without a gateway', 'a new side that is too small'].includes(r.title)))
    row.scene?.(scene);
  scene.freeze = { by: 'anna', reason: 'Black Friday' };
  const { violations } = preflight({ ...request, spec: { ...migrationOf(), steps: [] } }, factsOf(scene));
  assert.deepEqual(
    violations.map((v) => v.path),
    ['spec.to', 'spec.to', 'spec.steps'],
  );
});
