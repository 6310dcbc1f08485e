import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import type { MigrationStatus, Traffic } from '../../core/admin/index.ts';
import { readFences } from '../support/docs-blocks.ts';
import { until } from '../support/until.ts';
import { settled, startBed } from './migration/bed.ts';
import { startLoads } from './migration/callers.ts';
import { assertLeft, assertNoneFailed } from './migration/judge.ts';
import { podSide, vmSide } from './migration/objects.ts';
import { describePods } from './migration/runtimes.ts';
import { endInReverse, install } from './servers/index.ts';

const page = 'docs/migrate-a-service.md';
const name = 'shop/orders-to-prod';

/** What the page's reader would give hours: here it takes seconds, and is judged by what few requests can tell. */
const quick = {
  steps: [{ weight: 10 }, { weight: 50 }, { weight: 100 }],
  bake: '6s',
  interval: '2s',
  baseline: '5s',
  drain: { timeout: '20s', bake: '5s' },
  gates: [
    { name: 'errors', type: 'errorRate', max: '1%', minSamples: 20 },
    { name: 'median', type: 'latency', percentile: 50, maxRatio: 2, minSamples: 20 },
  ],
};

test(`${page}: every command, from the first plan to machines that are switched off`, { timeout: 420_000 }, async (t) => {
  const ending = endInReverse(t);
  const bed = await startBed(ending, { callers: ['isthmus', 'plain'], deployed: false });
  const { control, consul, pods, vms } = bed;
  const { folder } = control.process;
  const fences = await readFences(page);
  const blocks = fences.filter(({ language }) => language === 'sh').map(({ body }) => body);
  const [object = ''] = fences.filter(({ language }) => language === 'yaml').map(({ body }) => body);
  const [
    apply = '',
    plan = '',
    again = '',
    start = '',
    pause = '',
    rollback = '',
    restart = '',
    watch = '',
    turnOff = '',
    report = '',
    ...more
  ] = blocks;
  assert.equal(more.length, 0, 'the page has a command that nobody runs');
  const env = {
    PATH: `${dirname((await install('consul')).binary('consul'))}:${process.env['PATH'] ?? ''}`,
    CONSUL_HTTP_ADDR: consul.url,
  };
  const shell = (commands: string) => control.shell(`cd ${folder}\n${commands}`, env);
  const status = async () => JSON.parse(await control.run('migrate', 'status', name, '--output', 'json')) as MigrationStatus;
  const arrive = async (weight: number) => {
    for (;;) {
      const { to, phase, rollback: why } = await status();
      assert.notEqual(phase, 'rolled-back', why?.reason);
      if (to.weight >= weight) return;
      await delay(700);
    }
  };

  const requests = await startLoads(bed.callers, 'orders', 40);
  ending(() => requests.kill());
  await writeFile(join(folder, 'orders-to-prod.yaml'), object);
  await shell(apply);
  await describePods(bed.kubernetes, pods);
  const deployed = Date.now();
  // The page plans while the service is called: what proxies have not told yet is no rate to plan by.
  await until('the load to be seen', async () => {
    const { flows } = JSON.parse(await control.run('traffic', '--output', 'json')) as Traffic;
    const seen = flows.filter(({ destination }) => destination === 'shop/orders').reduce((sum, flow) => sum + flow.requests, 0);
    return seen > 300;
  });
  await settled(bed, [vmSide, podSide]);
  await shell(plan);
  const planned = join(folder, 'orders-planned.yaml');
  const document = parse(await readFile(planned, 'utf8')) as { readonly spec: object };
  await writeFile(planned, stringify({ ...document, spec: { ...document.spec, ...quick } }));
  assert.match(await shell(again), /can begin/);
  const began = Date.now();
  assert.match(await shell(start), /shop\/orders-to-prod/);
  await arrive(10);
  const paused = await shell(pause);
  assert.match(paused, /paused/);
  await arrive(50);
  await shell(rollback);
  await until('it to be back', async () => (await status()).phase === 'rolled-back', 60_000);
  await shell(restart);
  await arrive(100);
  assert.match(await shell(watch), /safe/);
  await shell(turnOff);
  for (const vm of vms) await vm.die();
  await shell(report);
  assert.match(await readFile(join(folder, 'reports/orders-to-prod.md'), 'utf8'), /orders-to-prod/);
  const loads = await requests.finish();
  assertNoneFailed(loads);
  const early = new Map([...loads].map(([kind, load]) => [kind, { ...load, samples: load.samples.filter(({ at }) => at < began) }]));
  assertLeft(early, pods, deployed - 60_000);
  const sent = [...loads.values()].flatMap(({ samples }) => samples.filter(({ site }) => pods.some((pod) => pod.name === site)));
  assert.ok(sent.length > 100);
});
