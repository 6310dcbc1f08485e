import assert from 'node:assert/strict';
import test from 'node:test';
import { policy, type Reply, startAdmin } from '../../support/admin-server.ts';

const body = {
  token: { role: 'workload', service: 'default/orders', port: 80, ttlMs: 60_000, maxUses: 1, cidrs: [] },
  sign: { cluster: 'west', csr: 'x' },
};

/** Every route, a valid call of it, and the least that it needs. The API's own list is held against this one. */
const routes: [method: string, path: string, body: unknown, role: 'viewer' | 'operator' | 'admin', scope: 'some' | 'default' | 'mesh'][] = [
  ['GET', '/v1/status', undefined, 'viewer', 'some'],
  ['GET', '/v1/services', undefined, 'viewer', 'some'],
  ['GET', '/v1/drift', undefined, 'viewer', 'some'],
  ['GET', '/v1/explain?src=default/a&dst=default/b', undefined, 'viewer', 'mesh'],
  ['GET', '/v1/traffic', undefined, 'viewer', 'some'],
  ['GET', '/v1/mtls', undefined, 'viewer', 'some'],
  ['GET', '/v1/instances', undefined, 'viewer', 'some'],
  ['GET', '/v1/peers', undefined, 'viewer', 'mesh'],
  ['GET', '/v1/uninstall-plan', undefined, 'operator', 'mesh'],
  ['POST', '/v1/tokens', body.token, 'operator', 'default'],
  ['GET', '/v1/attestors/default/ci/token', undefined, 'viewer', 'default'],
  ['POST', '/v1/peers/invite', {}, 'admin', 'mesh'],
  ['POST', '/v1/peers/join', { token: 'isthmus-peer-v1.xxxxxxxxx' }, 'admin', 'mesh'],
  ['DELETE', '/v1/peers/west', undefined, 'admin', 'mesh'],
  ['POST', '/v1/uninstall', { cluster: 'east' }, 'admin', 'mesh'],
  ['POST', '/v1/ca/sign', body.sign, 'admin', 'mesh'],
  ['POST', '/v1/revocations', { target: 'vm-1' }, 'operator', 'default'],
  ['GET', '/v1/revocations', undefined, 'operator', 'mesh'],
];

const roles = ['viewer', 'editor', 'operator', 'admin'] as const;
const codeOf = (reply: Reply) => (reply.body as { error?: { code: string } }).error?.code;

test('the list above is every route there is', async (t) => {
  const { routesOf } = await import('../../../control/admin/routes.ts');
  const { api } = await startAdmin(t);
  const known = routesOf(api).map((r) => `${r.method} ${r.path}`);
  const tested = routes.map(
    ([method, path]) =>
      `${method} ${path.split('?')[0]?.replace('/peers/west', '/peers/:cluster').replace('/default/ci/', '/:namespace/:name/')}`,
  );
  assert.deepEqual(tested.sort(), known.sort());
});

for (const [method, path, payload, role, scope] of routes) {
  const how = payload === undefined ? {} : { body: payload };
  test(`${method} ${path}: refused without credential, with a wrong one, with too small a role, elsewhere`, async (t) => {
    const admin = await startAdmin(t);
    assert.equal((await admin.call(method, path, how)).status, 401);
    assert.equal((await admin.call(method, path, { ...how, bearer: `${admin.secret.slice(0, -1)}!` })).status, 401);
    const svid = admin.pki.svid('east', 'ops', 'alice');
    const as = (...policies: ReturnType<typeof policy>[]) => {
      admin.policies.splice(0, admin.policies.length, ...policies);
      return admin.call(method, path, { ...how, svid });
    };
    const alice = 'spiffe://mesh.test/ns/ops/sa/alice';
    assert.equal((await as()).status, 403, 'no policy, no right');
    assert.equal((await as(policy('admin', ['*'], 'spiffe://mesh.test/ns/ops/sa/bob'))).status, 403);
    const smaller = roles[roles.indexOf(role) - 1];
    if (smaller !== undefined) assert.equal((await as(policy(smaller, ['*'], alice))).status, 403);
    const elsewhere = await as(policy(role, ['other'], alice));
    assert.equal(elsewhere.status, scope === 'some' ? 200 : 403, JSON.stringify(elsewhere.body));
    assert.deepEqual(admin.api.calls, [], 'nothing refused reached the control plane');
    const enough = await as(policy(role, [scope === 'mesh' ? '*' : 'default'], alice));
    assert.equal(enough.status, 200, JSON.stringify(enough.body));
    assert.equal((await admin.call(method, path, { ...how, bearer: admin.secret })).status, 200);
  });
}

test('an unknown route, method or form is refused as the known ones are', async (t) => {
  const { call, secret } = await startAdmin(t);
  assert.equal((await call('GET', '/v1/secrets')).status, 401);
  assert.equal((await call('GET', '/v1/secrets', { bearer: secret })).status, 404);
  assert.equal((await call('PUT', '/v1/tokens', { bearer: secret, body: {} })).status, 404);
  assert.equal((await call('GET', '/v1/status?x=1', { bearer: secret })).status, 400);
  const wrong = await call('POST', '/v1/tokens', { bearer: secret, body: { role: 'root', port: 'x', ttlMs: 5, extra: 1 } });
  assert.equal(wrong.status, 400);
  const { violations } = (wrong.body as { error: { violations: { path: string }[] } }).error;
  const paths = new Set(violations.map((v) => v.path));
  for (const path of ['body.role', 'body.port', 'body.ttlMs', 'body.extra', 'body.maxUses', 'body.cidrs']) assert.ok(paths.has(path), path);
  assert.equal((await call('POST', '/v1/tokens', { bearer: secret, body: '{"role":' })).status, 400);
  assert.equal((await call('POST', '/v1/tokens', { bearer: secret, body: { x: 'y'.repeat(70_000) } })).status, 413);
});

test('a certificate of another trust domain, another cluster, or one that has expired is nobody', async (t) => {
  const { call, pki, policies } = await startAdmin(t);
  policies.push(policy('admin', ['*'], 'spiffe://mesh.test/*'));
  const { MeshPki } = await import('../../support/mesh-pki.ts');
  assert.equal((await call('GET', '/v1/peers', { svid: pki.svid('east', 'ops', 'alice') })).status, 200);
  for (const svid of [
    pki.svid('west', 'ops', 'alice'),
    new MeshPki('mesh.test').svid('east', 'ops', 'alice'),
    new MeshPki('other.test').svid('east', 'ops', 'alice'),
    pki.svid('east', 'ops', 'alice', { now: Date.now() - 7_200_000, lifetimeMs: 60_000 }),
  ]) {
    const reply = await call('GET', '/v1/peers', { svid });
    assert.deepEqual([reply.status, codeOf(reply)], [401, 'PERMISSION_DENIED']);
    assert.match(JSON.stringify(reply.body), /client certificate was refused/);
  }
});

test('an address that keeps guessing is shut out', async (t) => {
  const { call, secret } = await startAdmin(t);
  const replies: number[] = [];
  for (let i = 0; i < 12; i++) replies.push((await call('GET', '/v1/status', { bearer: `isthmus-admin.${'x'.repeat(43)}` })).status);
  assert.deepEqual([...new Set(replies)], [401, 429]);
  assert.equal((await call('GET', '/v1/status', { bearer: secret })).status, 200, 'who has a credential is not hurt by it');
});

test('a viewer of one namespace sees that namespace alone', async (t) => {
  const { call, pki, policies } = await startAdmin(t);
  policies.push(policy('viewer', ['default'], 'spiffe://mesh.test/ns/ops/*'));
  const svid = pki.svid('east', 'ops', 'carol');
  const status = (await call('GET', '/v1/status', { svid })).body as Record<string, { namespace?: string }[]> & { partial: boolean };
  assert.equal(status.partial, true);
  assert.deepEqual(
    status['services']?.map((s) => s.namespace),
    ['default'],
  );
  for (const hidden of ['peers', 'gateways', 'clients', 'certificates', 'conflicts']) assert.deepEqual(status[hidden], []);
  for (const hidden of ['drift', 'findings']) assert.equal(hidden in status, false);
  const drift = async () =>
    (await call('GET', '/v1/drift', { svid })).body as { pairs: unknown[]; objects: unknown[]; conflicts: unknown[] };
  const { pairs, objects, conflicts } = await drift();
  assert.deepEqual([pairs.length, objects.length, conflicts.length], [3, 0, 0]);
  policies.push(policy('viewer', ['shop'], 'spiffe://mesh.test/ns/ops/*'));
  assert.equal((await drift()).objects.length, 2);
  const { instances } = (await call('GET', '/v1/instances', { svid })).body as { instances: { namespace: string }[] };
  assert.deepEqual(
    instances.map((i) => i.namespace),
    ['default'],
  );
});
