import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GRPCUnavailableError } from 'etcd3';
import { type MemberPolicy, MemberSkipped, memberPolicies } from '../../../control/store/etcd-members.ts';

const fails = async (member: MemberPolicy): Promise<string> =>
  member
    .execute(() => Promise.reject(new GRPCUnavailableError('down')))
    .then(
      () => 'answered',
      (error: unknown) => (error instanceof MemberSkipped ? 'skipped' : 'called'),
    );
const answers = (member: MemberPolicy): Promise<string> =>
  member.execute(() => 'answered').catch((error: unknown) => (error instanceof MemberSkipped ? 'skipped' : 'called'));

function three(now: () => number): [MemberPolicy, MemberPolicy, MemberPolicy] {
  const next = memberPolicies(3, now);
  return [next(), next(), next()];
}

test('each member is asked once before any is asked again', async () => {
  const [a, b, c] = three(() => 1_000);
  assert.equal(await fails(b), 'called');
  assert.equal(await fails(b), 'skipped');
  assert.equal(await fails(a), 'called');
  assert.equal(await fails(a), 'skipped');
  assert.equal(await fails(c), 'called');
  // All failed within one millisecond: the one that failed first is next, and no call finds nobody to ask.
  assert.deepEqual([await fails(c), await fails(a), await fails(b)], ['skipped', 'skipped', 'called']);
});

test('a member that answers again is as good as the others, and a failure is forgotten after a while', async () => {
  let now = 1_000;
  const [a, b, c] = three(() => now);
  await fails(a);
  assert.deepEqual([await answers(a), await answers(b), await answers(c)], ['skipped', 'answered', 'answered']);
  now += 5_001;
  assert.equal(await answers(a), 'answered');
  now += 1;
  await fails(a);
  await fails(b);
  await fails(c);
  assert.equal(await answers(a), 'answered');
  assert.deepEqual([await answers(b), await answers(a)], ['skipped', 'answered']);
});

test('an error that says nothing of the member does not cost it its place', async () => {
  const [a] = three(() => 1_000);
  await assert.rejects(
    a.execute(() => Promise.reject(new Error('etcdserver: request is too large'))),
    /too large/,
  );
  assert.equal(await answers(a), 'answered');
});
