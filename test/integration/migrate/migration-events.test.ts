import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { MigrationEvents } from '../../../control/assemble/migration-events.ts';
import type { MigrationState } from '../../../control/migrate/index.ts';
import { createMetrics } from '../../../control/telemetry/index.ts';
import type { MigrationEvent } from '../../../core/admin/index.ts';
import type { MigrationWebhook } from '../../../core/config/index.ts';
import type { Log } from '../../../core/log.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { sampleDraining, sampleMigration } from '../../support/migration-samples.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

interface Envelope {
  readonly id: string;
  readonly type: string;
  readonly data: { readonly message: string };
}

interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly event: Envelope;
}

/** Says 200 unless a test says otherwise. */
async function receiver(t: TestContext, answer: (got: Got, response: ServerResponse) => void = (_, response) => response.end()) {
  const got: Got[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const each = { headers: request.headers, event: JSON.parse(Buffer.concat(parts).toString()) as Envelope };
    got.push(each);
    answer(each, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onEnd(t, () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    return closed;
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/a-secret-path`;
  return { got, url, messages: () => got.map((each) => each.event.data.message) };
}

function scene(t: TestContext) {
  const clock = new ManualClock();
  const metrics = createMetrics({ cluster: 'east' });
  const warnings: string[] = [];
  const say = (fields: object, message: string) => void warnings.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  const events = new MigrationEvents({ clock, random: () => 0.5, log, metrics: metrics.migrations });
  onEnd(t, async () => {
    const closed = events.close(0);
    clock.advance(60_000);
    await closed;
  });
  const tell = (webhooks: readonly MigrationWebhook[], message: string, type = 'step-begun', name = 'orders') =>
    events.onEvent(stateOf(webhooks, name), eventOf(message, type));
  const shown = async (metric: string) =>
    (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(`isthmus_migration_${metric}{`));
  return { clock, warnings, events, tell, shown };
}

function eventOf(message: string, type: string): MigrationEvent {
  return { at: '2030-01-01T00:00:00.000Z', type, by: 'isthmus', message, weight: 5 };
}

function stateOf(webhooks: readonly MigrationWebhook[], name: string): MigrationState {
  const side = (registry: string) => ({ cluster: '', registry });
  const spec = { service: 'orders', from: side('consul/dc1'), to: side('kubernetes/prod'), webhooks };
  return { cluster: 'east', namespace: 'shop', name, run: 2, phase: 'stepping', step: 1, weight: 5, spec } as unknown as MigrationState;
}

/** Lets time pass until it is so: whoever waits for a next try has it. */
async function passing(clock: ManualClock, what: string, condition: () => boolean): Promise<void> {
  await until(what, () => {
    clock.advance(500);
    return condition();
  });
}

test('every event is a CloudEvent, in the order in which it happened, with the token of its file as it is now', async (t) => {
  const { tell } = scene(t);
  const { got, url } = await receiver(t);
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-webhooks-'));
  onEnd(t, () => rm(dir, { recursive: true }));
  const tokenFile = join(dir, 'token');
  await writeFile(tokenFile, 'first\n');
  for (let i = 0; i < 20; i++) tell([{ url, tokenFile }], `event ${i}`);
  await until('all are told', () => got.length === 20);
  await writeFile(tokenFile, 'second\n');
  tell([{ url, tokenFile }], 'event 20', 'rolled-back');
  await until('it is told', () => got.length === 21);
  assert.deepEqual(
    got.map((each) => each.event.data.message),
    Array.from({ length: 21 }, (_, i) => `event ${i}`),
  );
  assert.equal(new Set(got.map((each) => each.event.id)).size, 21);
  const { headers, event } = got.at(-1) ?? { headers: {}, event: undefined };
  assert.deepEqual([headers['content-type'], headers.authorization], ['application/cloudevents+json', 'Bearer second']);
  assert.equal(got[0]?.headers.authorization, 'Bearer first');
  assert.deepEqual(event, {
    specversion: '1.0',
    id: event?.id,
    source: '/isthmus/east/migrations/shop/orders',
    type: 'dev.isthmus.migration.rolled-back',
    subject: 'shop/orders',
    time: '2030-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
    data: {
      cluster: 'east',
      namespace: 'shop',
      migration: 'orders',
      service: 'orders',
      from: { cluster: '', registry: 'consul/dc1' },
      to: { cluster: '', registry: 'kubernetes/prod' },
      run: 2,
      phase: 'stepping',
      step: 1,
      ...eventOf('event 20', 'rolled-back'),
    },
  });
});

test('what a webhook does not take is tried four times, with the same id, before the next event; then it is given up and counted', async (t) => {
  const { clock, tell, warnings, shown } = scene(t);
  let answers = [503, 429, 500, 200, 502, 502, 502, 502];
  const { got, url, messages } = await receiver(t, (_, response) => {
    response.statusCode = answers[0] ?? 200;
    answers = answers.slice(1);
    response.end();
  });
  for (const message of ['a', 'b', 'c']) tell([{ url }], message);
  await passing(clock, 'the last was told', () => got.length === 9);
  assert.deepEqual(messages(), ['a', 'a', 'a', 'a', 'b', 'b', 'b', 'b', 'c']);
  assert.equal(new Set(got.map((each) => each.event.id)).size, 3);
  await until('it was given up', () => warnings.length === 1);
  assert.match(warnings[0] ?? '', /the webhook at http:\/\/127\.0\.0\.1:\d+ answered 502 .*"migration":"orders"/);
  assert.deepEqual(await shown('webhook_failures_total'), [
    'isthmus_migration_webhook_failures_total{namespace="shop",migration="orders",isthmus_cluster="east"} 1',
  ]);
});

test('what will not be otherwise is not tried again, and nothing that is secret is said of it', async (t) => {
  const { tell, warnings } = scene(t);
  const { got, url } = await receiver(t, (_, response) => {
    response.statusCode = 403;
    response.end('Bearer hidden');
  });
  const tokenFile = '/nonexistent/migration-tokens/x';
  tell([{ url }], 'a');
  await until('it was given up', () => warnings.length === 1);
  assert.equal(got.length, 1);
  assert.match(warnings[0] ?? '', /answered 403: check the webhook's tokenFile and what the token may do/);
  assert.doesNotMatch(warnings.join(), /a-secret-path|hidden/);
  const { clock, tell: tellAgain, warnings: others } = scene(t);
  tellAgain([{ url, tokenFile }], 'b');
  await passing(clock, 'it was given up', () => others.length === 1);
  assert.match(others[0] ?? '', /tokenFile \/nonexistent\/migration-tokens\/x cannot be read \(ENOENT\)/);
  assert.equal(got.length, 1, 'nothing is sent without the token that it is to have');
});

test('one that hangs holds up neither another webhook nor another migration, and of what waits for it the newest are kept', async (t) => {
  const { clock, tell, warnings } = scene(t);
  const hanging = await receiver(t, () => undefined);
  const prompt = await receiver(t);
  const both = [{ url: hanging.url }, { url: prompt.url }];
  for (let i = 0; i < 150; i++) {
    tell(both, `${i}`);
    if (i % 50 === 49) await until('the prompt one has what there is', () => prompt.got.length === i + 1);
  }
  tell([{ url: prompt.url }], 'other', 'done', 'cart');
  await until('the other migration is told of', () => prompt.got.length === 151);
  await until('the hanging one was asked', () => hanging.got.length === 1);
  assert.equal(warnings.length, 49, 'one is under way, a hundred wait');
  assert.match(warnings[0] ?? '', /takes events more slowly than they come: 100 wait/);
  await passing(clock, 'it is tried again after 5 s', () => hanging.got.length === 4);
  await passing(clock, 'it was given up', () => warnings.length === 50);
  assert.match(warnings[49] ?? '', /did not answer within 5000 ms/);
  await until('the next that was kept', () => hanging.messages().includes('50'));
});

test('closing waits for what waits, but not for ever', async (t) => {
  const { clock, events, tell } = scene(t);
  const { got, url } = await receiver(t);
  for (let i = 0; i < 5; i++) tell([{ url }], `${i}`);
  await events.close(2000);
  assert.equal(got.length, 5);
  tell([{ url }], 'too late');
  const other = scene(t);
  const hanging = await receiver(t, () => undefined);
  other.tell([{ url: hanging.url }], 'a');
  await until('it was asked', () => hanging.got.length === 1);
  const closed = other.events.close(2000);
  other.clock.advance(2000);
  await closed;
  assert.equal(got.length, 5, 'nothing is told after the end');
  assert.equal(clock.monotonic(), 0);
});

test('metrics say where each migration stands, and nothing of one that is gone', async (t) => {
  const { events, tell, shown } = scene(t);
  const labels = (namespace: string, more = '') => `{namespace="${namespace}",migration="orders-to-prod"${more},isthmus_cluster="east"}`;
  const held = sampleMigration({ hold: { reason: 'no data', since: '2030-01-01T00:00:00.000Z' } });
  const list = { migrations: [held, { ...sampleDraining(), namespace: 'billing' }], freeze: null, limit: 3 };
  await events.record(async () => list);
  assert.deepEqual(await shown('phase'), [
    `isthmus_migration_phase${labels('shop', ',phase="stepping"')} 1`,
    `isthmus_migration_phase${labels('billing', ',phase="draining"')} 1`,
  ]);
  assert.deepEqual(await shown('weight'), [
    `isthmus_migration_weight${labels('shop')} 25`,
    `isthmus_migration_weight${labels('billing')} 100`,
  ]);
  assert.equal((await shown('measured_weight'))[0], `isthmus_migration_measured_weight${labels('shop')} 25.4`);
  assert.deepEqual((await shown('halted')).slice(0, 2), [
    `isthmus_migration_halted${labels('shop', ',cause="paused"')} 0`,
    `isthmus_migration_halted${labels('shop', ',cause="hold"')} 1`,
  ]);
  assert.deepEqual(await shown('gate_value'), [
    `isthmus_migration_gate_value${labels('shop', ',gate="errors"')} 0.0013`,
    `isthmus_migration_gate_value${labels('shop', ',gate="tail"')} 0.0583`,
  ]);
  const ones = (await shown('gate_verdict')).filter((line) => line.endsWith(' 1'));
  assert.deepEqual(
    ones.map((line) => /gate="([a-z]+)",verdict="([a-z-]+)"/.exec(line)?.slice(1).join(' ')),
    ['errors pass', 'tail wait', 'checkouts no-data'],
  );
  assert.ok((await shown('old_endpoints')).includes(`isthmus_migration_old_endpoints${labels('billing', ',verdict="safe"')} 1`));
  assert.deepEqual((await shown('rollbacks_total')).length, 2, 'they begin at 0');
  tell([], 'errors: 3 %', 'breach', 'orders-to-prod');
  tell([], 'back to consul/dc1', 'rollback-begun', 'orders-to-prod');
  assert.equal((await shown('rollbacks_total'))[0], `isthmus_migration_rollbacks_total${labels('shop')} 1`);
  await events.record(() => Promise.reject(new Error('the store is away')));
  assert.equal((await shown('phase')).length, 2, 'unknown is not gone');
  await events.record(async () => ({ migrations: [], freeze: { by: 'ann', at: '', reason: 'sale' }, limit: 3 }));
  for (const metric of ['phase', 'weight', 'gate_verdict', 'old_endpoints', 'rollbacks_total', 'webhook_failures_total', 'halted'])
    assert.deepEqual(await shown(metric), [], metric);
});
