import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RefusedRegistrations, stagesOf } from '../../../control/registration/index.ts';

const at = { grant: undefined, record: undefined, expireAfterMs: undefined, placements: [], now: 0 };

test('the last refusal of the 1,000 grants that were refused last is remembered, until a registration is taken', () => {
  let counted = 0;
  const refused = new RefusedRegistrations({
    refuse: () => {
      counted += 1;
    },
  });
  for (let i = 0; i < 1_000; i++) refused.refuse(`g${i}`, 'wrong-address', `no ${i}`, {});
  refused.refuse('g0', 'wrong-service', 'x'.repeat(5_000), {});
  refused.refuse('new', 'fenced', 'no', {});
  refused.refuse(undefined, 'no-certificate', 'no', {});
  assert.equal(counted, 1_003);
  assert.deepEqual([refused.of('g1'), refused.of('g2'), refused.of('new')], [undefined, 'no 2', 'no']);
  assert.equal(refused.of('g0')?.length, 515, 'what is said last, cut');
  refused.taken('g2');
  assert.equal(refused.of('g2'), undefined);
});

test('an instance whose registration was refused has that reason, not that it never came', () => {
  const registered = (refused?: string) => stagesOf({ ...at, refused }).find(({ stage }) => stage === 'registered');
  const said = registered('claims.services[0]: the identity may not register shop/pay port 80');
  assert.deepEqual(
    [said?.ok, said?.reason],
    ['no', 'its registration was refused: claims.services[0]: the identity may not register shop/pay port 80'],
  );
  assert.match(said?.next ?? '', /isthmus vm token|make a token/);
  assert.match(registered()?.reason ?? '', /has not registered, or has left/);
});
