import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { namespacesOf } from '../../../control/objects/index.ts';
import { MeshError } from '../../../core/errors.ts';
import { FakeControlApi } from '../../fakes/control-api.ts';
import { FakeMigrations } from '../../fakes/migrations.ts';
import { policy, startAdmin } from '../../support/admin-server.ts';
import { sampleMigration, samplePlan } from '../../support/migration-samples.ts';

const ann = 'spiffe://mesh.test/ns/ops/sa/ann';
const path = '/v1/migrations/shop/orders-to-prod';

async function scene(t: TestContext, role: 'viewer' | 'editor' | 'operator' = 'operator', ...namespaces: string[]) {
  const migrations = new FakeMigrations(sampleMigration(), sampleMigration({ namespace: 'billing' }));
  const api = Object.assign(new FakeControlApi(), { migrations, objects: { namespacesOf } as never });
  const admin = await startAdmin(t, { api });
  admin.policies.push(policy(role, namespaces.length === 0 ? ['shop'] : namespaces, ann));
  const svid = admin.pki.svid('east', 'ops', 'ann');
  const get = (of: string) => admin.call('GET', of, { svid });
  const post = (of: string, body: object = {}) => admin.call('POST', of, { svid, body });
  return { migrations, admin, get, post };
}

function messageOf(body: unknown): string {
  return (body as { error?: { message?: string } }).error?.message ?? '';
}

test('a control plane that drives no migrations has no routes for them', async (t) => {
  const admin = await startAdmin(t);
  const reply = await admin.call('GET', '/v1/migrations', { bearer: admin.secret });
  assert.equal(reply.status, 404);
  assert.match(messageOf(reply.body), /is not a route/);
});

test('a viewer sees the migrations of their namespaces alone, and commands none', async (t) => {
  const { get, post, migrations, admin } = await scene(t, 'viewer');
  const listed = (await get('/v1/migrations')).body as { migrations: { namespace: string }[]; limit: number };
  assert.deepEqual([listed.migrations.map((each) => each.namespace), listed.limit], [['shop'], 3]);
  assert.deepEqual((await get(path)).body, sampleMigration());
  assert.equal((await get(`${path}/report`)).status, 200);
  for (const of of ['', '/report']) assert.equal((await get(`/v1/migrations/billing/orders-to-prod${of}`)).status, 403);
  assert.equal((await get('/v1/migrations/shop/nothing')).status, 404);
  for (const verb of ['start', 'abort', 'resume', 'approve']) assert.equal((await post(`${path}/${verb}`)).status, 403, verb);
  for (const verb of ['pause', 'rollback', 'finish']) assert.equal((await post(`${path}/${verb}`, { reason: 'x' })).status, 403, verb);
  assert.equal((await post('/v1/migrations/freeze', { reason: 'x' })).status, 403);
  assert.deepEqual(migrations.commands, []);
  assert.deepEqual(new Set((await admin.auditLines()).map((line) => line['result'])), new Set(['refused']));
});

test('an editor writes Migrations and does not drive them', async (t) => {
  const { post } = await scene(t, 'editor');
  assert.equal((await post(`${path}/start`)).status, 403);
});

test('an operator drives the migrations of their namespace; who and why are in the audit log', async (t) => {
  const { post, migrations, admin } = await scene(t);
  for (const verb of ['start', 'abort', 'resume']) assert.equal((await post(`${path}/${verb}`)).status, 200, verb);
  assert.equal((await post(`${path}/pause`, { reason: 'lunch' })).status, 200);
  assert.equal((await post(`${path}/rollback`, { reason: 'p99 at the shop' })).status, 200);
  assert.equal((await post(`${path}/finish`, { reason: 'vm-3 is off' })).status, 200);
  assert.deepEqual((await post(`${path}/approve`)).body, sampleMigration());
  assert.equal((await post('/v1/migrations/billing/orders-to-prod/start')).status, 403);
  assert.deepEqual(
    migrations.commands.map((each) => each.command),
    [
      { type: 'start', by: ann },
      { type: 'abort', by: ann },
      { type: 'resume', by: ann },
      { type: 'pause', by: ann, reason: 'lunch' },
      { type: 'rollback', by: ann, reason: 'p99 at the shop' },
      { type: 'finish', by: ann, reason: 'vm-3 is off' },
      { type: 'approve', by: ann, step: 4 },
    ],
  );
  const lines = await admin.auditLines();
  assert.deepEqual(
    lines.map((line) => [line['what'], line['result'], line['who']]),
    ['start', 'abort', 'resume', 'pause', 'rollback', 'finish', 'approve', 'start'].map((verb, i) => [
      `POST /v1/migrations/:namespace/:name/${verb}`,
      i === 7 ? 'refused' : 'done',
      ann,
    ]),
  );
  assert.match(JSON.stringify(lines[4]), /p99 at the shop.*migration\/shop\/orders-to-prod/);
});

test('stopping and going back need a reason, and nothing more', async (t) => {
  const { post, migrations } = await scene(t);
  for (const verb of ['pause', 'rollback', 'finish'])
    for (const body of [{}, { reason: '' }, { reason: 'x'.repeat(1001) }, { reason: 'x', force: true }])
      assert.equal((await post(`${path}/${verb}`, body)).status, 400, `${verb} ${JSON.stringify(body)}`);
  assert.equal((await post(`${path}/start`, { force: true })).status, 400);
  assert.deepEqual(migrations.commands, []);
});

test('a step that waits for an approval is named by its weight', async (t) => {
  const { post, migrations } = await scene(t);
  assert.equal((await post(`${path}/approve`, { weight: 100 })).status, 200);
  const none = await post(`${path}/approve`, { weight: 50 });
  assert.equal(none.status, 409);
  assert.match(messageOf(none.body), /no step of 50 % waits for an approval; those that do: 100 %/);
  migrations.put(sampleMigration({ steps: [{ weight: 100, bakeMs: 0, approval: true, approved: true }] }));
  const again = await post(`${path}/approve`);
  assert.deepEqual([again.status, messageOf(again.body)], [409, 'no step waits for an approval']);
  assert.equal(migrations.commands.length, 1);
});

test('only who operates the whole mesh freezes', async (t) => {
  const { post, get, migrations } = await scene(t, 'operator', '*');
  assert.deepEqual((await post('/v1/migrations/freeze', { reason: 'black friday' })).body, { freeze: migrations.freeze_ });
  assert.equal(((await get('/v1/migrations')).body as { freeze: { reason: string } }).freeze.reason, 'black friday');
  assert.deepEqual((await post('/v1/migrations/unfreeze')).body, { freeze: null });
  assert.equal((await post('/v1/migrations/unfreeze')).status, 409);
});

test('a plan changes nothing, is not audited, and is for who may see the namespace', async (t) => {
  const { post, migrations, admin } = await scene(t, 'viewer');
  const sides = { from: { registry: 'consul/dc1' }, to: { registry: 'kubernetes/prod' } };
  const propose = { service: 'orders', ...sides, spec: { steps: [1, 100] } };
  assert.deepEqual((await post('/v1/migrations/plan', { namespace: 'shop', propose })).body, samplePlan());
  assert.equal((await post('/v1/migrations/plan', { namespace: 'billing', propose })).status, 403);
  const files = (namespace: string) => [{ file: 'a.yaml', text: `metadata: {namespace: ${namespace}}` }];
  assert.equal(
    (await post('/v1/migrations/plan', { namespace: 'shop', files: files('billing') })).status,
    403,
    'the documents say where they are',
  );
  assert.equal((await post('/v1/migrations/plan', { files: files('shop') })).status, 200);
  assert.equal((await post('/v1/migrations/plan', { namespace: 'shop' })).status, 400);
  assert.equal((await post('/v1/migrations/plan', { namespace: 'shop', propose, files: files('shop') })).status, 400);
  migrations.planned = { ok: false, violations: [{ path: 'spec.steps[0]', message: 'must be above 0' }] };
  const wrong = await post('/v1/migrations/plan', { namespace: 'shop', propose });
  assert.deepEqual([wrong.status, messageOf(wrong.body)], [422, 'there is no plan: 1 mistake']);
  assert.equal(migrations.plans.length, 3);
  assert.deepEqual(
    (await admin.auditLines()).filter((line) => line['result'] !== 'refused'),
    [],
  );
});

test('what a migration refuses reaches whoever asked, with the reason, and the audit log with its code', async (t) => {
  const { post, migrations, admin } = await scene(t);
  migrations.failure = new MeshError('CONFLICT', 'orders-to-prod is done: start it again to move back');
  const refused = await post(`${path}/resume`);
  assert.deepEqual([refused.status, messageOf(refused.body)], [409, 'orders-to-prod is done: start it again to move back']);
  assert.deepEqual(
    (await admin.auditLines()).map((line) => line['result']),
    ['CONFLICT'],
  );
});
