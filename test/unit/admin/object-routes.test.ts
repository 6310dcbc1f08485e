import assert from 'node:assert/strict';
import test from 'node:test';
import type { ObjectsApi } from '../../../control/admin/index.ts';
import { namespacesOf } from '../../../control/objects/index.ts';
import { FakeControlApi } from '../../fakes/control-api.ts';
import { policy, startAdmin } from '../../support/admin-server.ts';

/** Remembers what got through; everything else is not asked here. */
class FakeObjects implements Partial<ObjectsApi> {
  readonly applied: string[] = [];
  namespacesOf = namespacesOf;
  async namespacesWaiting() {
    return ['shop', 'billing'];
  }
  async apply(request: { files: readonly { file: string }[] }, by: string) {
    this.applied.push(`${request.files[0]?.file} by ${by}`);
    if (request.files[0]?.file === 'bad.yaml')
      return { ok: false as const, violations: [{ path: 'spec.hosts', message: 'is required', file: 'bad.yaml', line: 3 }] };
    const diff = [{ subject: 'VirtualService shop/a', after: { spec: { token: 'hidden' } } }];
    return { ok: true as const, value: { value: { dryRun: false, revision: 1, objects: [] }, diff } };
  }
}

const body = (file: string, ...namespaces: string[]) => ({
  files: [
    { file, text: namespaces.map((namespace) => JSON.stringify({ metadata: { namespace }, spec: 'of a document' })).join('\n---\n') },
  ],
});

async function scene(t: Parameters<typeof startAdmin>[0]) {
  const objects = new FakeObjects();
  const api = Object.assign(new FakeControlApi(), { objects: objects as unknown as ObjectsApi });
  const admin = await startAdmin(t, { api });
  const svid = admin.pki.svid('east', 'ops', 'ann');
  admin.policies.push(policy('editor', ['shop'], 'spiffe://mesh.test/ns/ops/sa/ann'));
  return { objects, admin, svid };
}

test('apply needs the editor in the namespaces of all its documents, and confirm in those that wait', async (t) => {
  const { objects, admin, svid } = await scene(t);
  const call = (what: object) => admin.call('POST', '/v1/objects/apply', { svid, body: what });
  assert.equal((await call(body('a.yaml', 'shop'))).status, 200);
  const refused = await call(body('b.yaml', 'shop', 'billing'));
  assert.equal(refused.status, 403);
  assert.match(JSON.stringify(refused.body), /needs role editor in namespace billing/);
  assert.deepEqual(objects.applied, ['a.yaml by spiffe://mesh.test/ns/ops/sa/ann']);
  assert.equal((await admin.call('POST', '/v1/objects/confirm', { svid, body: {} })).status, 403);
  assert.equal((await admin.call('POST', '/v1/plan', { svid, body: { files: [] } })).status, 403, 'it names what is in other namespaces');
  assert.equal((await admin.call('POST', '/v1/objects/apply', { body: body('a.yaml', 'shop') })).status, 401);
});

test('violations reach the caller with file and line; the audit log has diffs and refusals, never the text of documents', async (t) => {
  const { admin, svid } = await scene(t);
  const call = (what: object) => admin.call('POST', '/v1/objects/apply', { svid, body: what });
  const bad = await call(body('bad.yaml', 'shop'));
  assert.equal(bad.status, 422);
  const { violations } = (bad.body as { error: { violations: unknown[] } }).error;
  assert.deepEqual(violations, [{ path: 'spec.hosts', message: 'is required', file: 'bad.yaml', line: 3 }]);
  await call(body('a.yaml', 'shop'));
  await call(body('c.yaml', 'billing'));
  const lines = await admin.auditLines();
  assert.deepEqual(
    lines.map((l) => l['result']),
    ['CONFIG_INVALID', 'done', 'refused'],
  );
  assert.match(JSON.stringify(lines[1]), /VirtualService shop\/a/);
  assert.doesNotMatch(JSON.stringify(lines), /of a document|hidden/);
});

test('a word that is none of those known is said to be wrong once, with those that are', async (t) => {
  const { admin, svid } = await scene(t);
  const wrong = await admin.call('POST', '/v1/objects/apply', { svid, body: { ...body('a.yaml', 'shop'), scope: 'world' } });
  assert.equal(wrong.status, 400);
  const { violations } = (wrong.body as { error: { violations: unknown[] } }).error;
  assert.deepEqual(violations, [{ path: 'body.scope', message: 'must be "mesh" or "cluster"' }]);
});
