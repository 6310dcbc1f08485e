import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { MigrationPlanRequest } from '../../../core/admin/index.ts';
import { migrateScene } from '../../support/migrate-scene.ts';
import { sampleMigration, samplePlan, sampleReport } from '../../support/migration-samples.ts';

const name = 'shop/orders-to-prod';

test('report: to standard output in each format, and as files', async (t) => {
  const { run, dir } = await migrateScene(t);
  assert.match((await run('report', name)).out, /^# shop\/orders-to-prod: orders from/);
  assert.match((await run('report', name, '--format', 'svg')).out, /^<svg .*<\/svg>\n$/s);
  for (const args of [
    ['--format', 'json'],
    ['-o', 'json'],
  ])
    assert.deepEqual(JSON.parse((await run('report', name, ...args)).out), sampleReport(sampleMigration()));
  const folder = join(dir, 'reports', 'today');
  const wrote = await run('report', name, '--write', folder);
  assert.equal(wrote.code, 0, wrote.err);
  const markdown = await readFile(join(folder, 'orders-to-prod.md'), 'utf8');
  assert.match(markdown, /\(orders-to-prod\.svg\)/);
  assert.match(await readFile(join(folder, 'orders-to-prod.svg'), 'utf8'), /^<svg/);
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'orders-to-prod.json'), 'utf8')), sampleReport(sampleMigration()));
});

test('plan: flags are fields of the spec, the file is written once, and a failed check is an exit code', async (t) => {
  const { run, migrations, dir, document } = await migrateScene(t);
  const sides = ['--from', 'consul/dc1', '--to', 'west/kubernetes/prod'];
  const file = join(dir, 'orders.yaml');
  const planned = await run('plan', 'shop/orders', ...sides, '--write', file);
  assert.deepEqual([planned.code, planned.err], [0, '']);
  assert.match(planned.out, /WARN capacity.*can begin.*Wrote .*orders\.yaml\n$/s);
  assert.equal(await readFile(file, 'utf8'), samplePlan().yaml);
  const again = await run('plan', 'shop/orders', ...sides, '--write', file);
  assert.deepEqual([again.code, /is there already, and was not written over/.test(again.err)], [2, true]);
  assert.equal((await run('plan', 'orders', '-n', 'shop', ...sides, '-o', 'yaml')).out, samplePlan().yaml);
  assert.deepEqual(JSON.parse((await run('plan', 'shop/orders', ...sides, '-o', 'json')).out), samplePlan());
  const basic: MigrationPlanRequest = {
    namespace: 'shop',
    propose: { service: 'orders', from: { registry: 'consul/dc1' }, to: { registry: 'kubernetes/prod', cluster: 'west' } },
  };
  assert.deepEqual(
    migrations.plans,
    Array.from({ length: 4 }, () => basic),
  );
  await run(
    ...['plan', 'orders', ...sides, '--name', 'move', '--steps', '0.5,25,100!', '--bake', '5m', '--mirror', '10%', '--interval', '5s'],
    ...[
      '--gate',
      'errorRate:max=0.5%,minSamples=100',
      '--gate',
      'tail=latency:percentile=99.9,max=400ms',
      '--gate',
      'latency:percentile=50,maxRatio=2',
    ],
    ...['--gate', 'prometheus:url=http://prom:9090,max=1,query=sum(a{b="c",d="e"})', '--native-name', 'consul/dc1@25'],
    ...['--depends-on', 'cart', '--on-no-data', 'rollback', '--webhook', 'http://hooks/a'],
  );
  assert.deepEqual(migrations.plans.at(-1)?.propose, {
    ...basic.propose,
    name: 'move',
    spec: {
      steps: [0.5, 25, { weight: 100, approval: true }],
      bake: '5m',
      mirror: { percent: 10 },
      interval: '5s',
      gates: [
        { name: 'error-rate', type: 'errorRate', max: '0.5%', minSamples: 100 },
        { name: 'tail', type: 'latency', percentile: 99.9, max: '400ms' },
        { name: 'latency-p50', type: 'latency', percentile: 50, maxRatio: 2 },
        { name: 'prometheus', type: 'prometheus', url: 'http://prom:9090', max: 1, query: 'sum(a{b="c",d="e"})' },
      ],
      nativeName: { registry: 'consul/dc1', atWeight: 25 },
      dependsOn: ['cart'],
      onNoData: { action: 'rollback' },
      webhooks: [{ url: 'http://hooks/a' }],
    },
  });
  await run('plan', 'orders', ...sides, '--bake', '1h');
  assert.deepEqual(migrations.plans.at(-1)?.propose?.spec, { steps: [1, 5, 25, 50, 100], bake: '1h' });
  const written = await document('migration.yaml', 'Migration');
  assert.equal((await run('plan', '-f', written)).code, 0);
  assert.equal(migrations.plans.at(-1)?.files?.length, 1);
  migrations.planned = {
    ok: true,
    value: { ...samplePlan(), ok: false, checks: [{ name: 'ports', ok: 'fail', message: 'no port 80 there', fix: 'serve it', path: '' }] },
  };
  const failed = await run('plan', 'shop/orders', ...sides);
  assert.deepEqual(
    [failed.code, /must not begin: ports: no port 80 there/.test(failed.err), /FAIL ports/.test(failed.out)],
    [2, true, true],
  );
});

test('plan: what is wrong with its flags or its spec is said, and nothing is written', async (t) => {
  const { run, migrations, dir } = await migrateScene(t);
  const sides = ['--from', 'consul/dc1', '--to', 'kubernetes/prod'];
  for (const args of [
    ['plan'],
    ['plan', 'orders'],
    ['plan', 'a/b/c', ...sides],
    ['plan', 'orders', '--from', 'dc1', '--to', 'kubernetes/prod'],
    ['plan', 'orders', ...sides, '--steps', '1;5'],
    ['plan', 'orders', ...sides, '--mirror', 'some'],
    ['plan', 'orders', ...sides, '--gate', '=x'],
    ['plan', 'orders', ...sides, '--gate', 'latency:99'],
    ['plan', 'orders', ...sides, '--on-no-data', 'pass'],
    ['plan', 'orders', ...sides, '-f', 'x'],
  ])
    assert.equal((await run(...args)).code, 2, args.join(' '));
  assert.deepEqual(migrations.plans, []);
  migrations.planned = { ok: false, violations: [{ path: 'spec.steps[0]', message: 'must be above 0' }] };
  const file = join(dir, 'never.yaml');
  const refused = await run('plan', 'orders', ...sides, '--steps', '0,100', '--write', file);
  assert.deepEqual([refused.code, /there is no plan: 1 mistake:\n {2}spec\.steps\[0\]: must be above 0/.test(refused.err)], [2, true]);
  await assert.rejects(readFile(file), { code: 'ENOENT' });
});

test('every command of the group has help with examples', async (t) => {
  const { run } = await migrateScene(t);
  const verbs = [
    'plan',
    'start',
    'status',
    'list',
    'report',
    'pause',
    'resume',
    'approve',
    'rollback',
    'abort',
    'finish',
    'freeze',
    'unfreeze',
  ];
  const group = await run('--help');
  for (const verb of verbs) {
    assert.match(group.out, new RegExp(`^ +${verb} `, 'm'));
    assert.match((await run(verb, '--help')).out, new RegExp(`\\$ isthmus migrate ${verb}`), verb);
  }
});
