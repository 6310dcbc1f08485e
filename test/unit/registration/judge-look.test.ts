import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { judgeLook } from '../../../control/registration/reach/judge-look.ts';
import { type Reach, type ReachState, type RegisteredWorkload, withheldFor } from '../../../registries/vm/index.ts';

const place = '10.1.0.4:15006';
const look = (state: ReachState, at = place) => ({ state, reason: `because ${state}`, place: at });
const after = (...states: readonly ReachState[]) =>
  states.reduce<Reach | undefined>((before, state, i) => judgeLook(before, look(state), i), undefined);

const workload = (reach: Reach | undefined, seenFrom?: string): RegisteredWorkload => ({
  role: 'workload',
  instance: 'vm-1',
  namespace: 'shop',
  serviceAccount: 'orders',
  grant: 'g',
  generation: 1,
  replica: 'r',
  network: 'dc',
  labels: {},
  locality: '',
  version: '',
  registeredAt: 0,
  draining: false,
  expired: false,
  addresses: ['10.1.0.4'],
  inboundPort: 15_006,
  services: [],
  ...(seenFrom === undefined ? {} : { seenFrom }),
  ...(reach === undefined ? {} : { reach }),
});

test('a proof is taken at once, and given up by several looks in a row alone', () => {
  assert.equal(after('refused', 'proven')?.state, 'proven');
  assert.equal(after('proven', 'refused')?.state, 'proven');
  assert.equal(after('proven', 'refused', 'refused')?.state, 'refused');
  assert.equal(after('proven', 'refused', 'proven', 'refused')?.state, 'proven');
  assert.equal(after('proven', 'unknown', 'unknown')?.state, 'proven');
  assert.equal(after('proven', 'unknown', 'unknown', 'unknown')?.state, 'unknown');
});

test('only somebody else at an address ends the trust in it', () => {
  assert.equal(after('proven', 'refused', 'refused', 'unknown', 'unknown', 'unknown')?.trusted, true);
  assert.equal(after('proven', 'other', 'other')?.trusted, false);
  assert.equal(after('refused')?.trusted, false);
  assert.equal(after('refused', 'unknown')?.trusted, false);
  assert.equal(after('unknown')?.trusted, true);
  assert.equal(after('other', 'other', 'proven')?.trusted, true);
});

test('a verdict that is repeated is the same object, so that nothing is written; one on another place starts anew', () => {
  const first = judgeLook(undefined, look('proven'), 1);
  assert.equal(judgeLook(first, look('proven'), 2), first);
  const moved = judgeLook(first, look('refused', '10.1.0.5:15006'), 3);
  assert.deepEqual(moved, { state: 'refused', reason: 'because refused', at: 3, place: '10.1.0.5:15006', trusted: false, strikes: 0 });
});

test('endpoints are withheld for an address that the agent is not seen from, until it is proven', () => {
  assert.equal(withheldFor(workload(undefined)), undefined, 'written by a version of before');
  assert.equal(withheldFor(workload(undefined, '10.1.0.4')), undefined, 'its own address needs no proof');
  assert.match(withheldFor(workload(undefined, '192.0.2.1')) ?? '', /has not been proven yet/);
  assert.match(withheldFor(workload(after('refused'), '192.0.2.1')) ?? '', /not proven: because refused/);
  assert.equal(withheldFor(workload(after('proven'), '192.0.2.1')), undefined);
  assert.equal(withheldFor(workload(after('unknown'), '192.0.2.1')), undefined);
  const elsewhere = judgeLook(undefined, look('proven', '10.9.9.9:15006'), 1);
  assert.match(withheldFor(workload(elsewhere, '192.0.2.1')) ?? '', /has not been proven yet/, 'a proof of another place is none');
});

test('whatever is seen: trust without a proof never outlives a refusal, and what was proven flaps on no single look', () => {
  const states = fc.array(fc.constantFrom<ReachState>('proven', 'refused', 'other', 'unknown'), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(states, (seen) => {
      let reach: Reach | undefined;
      for (const [i, state] of seen.entries()) {
        const before = reach;
        reach = judgeLook(before, look(state), i);
        if (state === 'proven') assert.ok(reach.trusted && reach.state === 'proven');
        if (before?.state === 'proven' && before.strikes === 0 && state !== 'proven') assert.equal(reach.state, 'proven');
        // Trust comes from a proof, or from a first look that could ask nobody.
        if (reach.trusted && before?.trusted !== true) assert.ok(state === 'proven' || (before === undefined && state === 'unknown'));
      }
    }),
  );
});
