import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { parserFor } from '../../../control/assemble/objects.ts';
import { Leadership } from '../../../control/leadership/index.ts';
import { Objects } from '../../../control/objects/index.ts';
import type { Clock } from '../../../core/clock.ts';
import { silentLog } from '../../../core/log.ts';
import type { Store } from '../../../core/store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { policy } from '../../support/object-scene.ts';
import { until } from '../../support/until.ts';

/** Two opened stores over the same data: of two replicas, where there can be two; else the same one. */
export type OpenStores = (t: TestContext) => Promise<readonly [Store, Store]>;

const standing = (store: Store, clock: Clock) =>
  new Leadership({ store, clock, log: silentLog, name: 'tentative', replica: randomUUID(), ttlMs: 10_000, sole: false });

async function replica(t: TestContext, store: Store, clock: Clock): Promise<Objects> {
  const objects = new Objects({
    store,
    leadership: standing(store, clock),
    clock,
    log: silentLog,
    cluster: 'east',
    parse: parserFor('mesh.test'),
  });
  await objects.load();
  const stop = new AbortController();
  const running = objects.run(stop.signal);
  t.after(async () => {
    stop.abort();
    await running;
  });
  return objects;
}

const files = (...texts: string[]) => texts.map((text, i) => ({ file: `${i}.yaml`, text }));
const names = (objects: Objects) => [...objects.set.current().objects.values()].map((o) => o.ref.name).sort();

async function apply(objects: Objects, text: string, by = 'somebody', more: object = {}) {
  const done = await objects.apply({ files: files(text), ...more }, by);
  assert.ok(done.ok, JSON.stringify(done));
  return done.value.value;
}

/** What holds over any store, with several replicas where it takes them. */
export function objectsContract(name: string, open: OpenStores): void {
  test(`${name}: applies at the same time from two replicas lose none, and both see all of them in one history`, async (t) => {
    const [one, two] = await open(t);
    const clock = new ManualClock();
    const [a, b] = [await replica(t, one, clock), await replica(t, two, clock)];
    const each = Array.from({ length: 12 }, (_, n) => apply(n % 2 === 0 ? a : b, policy(`p${n}`, 'x')));
    const revisions = (await Promise.all(each)).map((r) => r.revision ?? 0).sort((x, y) => x - y);
    assert.deepEqual(
      revisions,
      Array.from({ length: 12 }, (_, n) => n + 1),
    );
    await until('both replicas have them all', () => names(a).length === 12 && names(b).length === 12);
    const restarted = await replica(t, two, clock);
    assert.deepEqual(names(restarted), names(a));
  });

  test(`${name}: several hundred documents are one step, there and back`, async (t) => {
    const [one, two] = await open(t);
    const clock = new ManualClock();
    const objects = await replica(t, one, clock);
    const many = Array.from({ length: 400 }, (_, n) => policy(`p${n}`, 'x')).join('---\n');
    assert.equal((await apply(objects, many)).revision, 1);
    assert.equal((await apply(objects, many.replaceAll('[x]', '[y]'))).objects.filter((o) => o.action === 'configured').length, 400);
    assert.equal(names(await replica(t, two, clock)).length, 400);
    const back = await objects.rollback({ revision: 0 }, 'somebody');
    assert.ok(back.ok && back.value.value.objects.length === 400);
    assert.deepEqual(names(await replica(t, two, clock)), []);
  });

  test(`${name}: a tentative revision is rolled back at its time by one of the replicas, once; confirmed it stays`, async (t) => {
    const [one, two] = await open(t);
    const clock = new ManualClock();
    const [a, b] = [await replica(t, one, clock), await replica(t, two, clock)];
    await apply(a, policy('kept', 'x'));
    await apply(b, policy('tried', 'x'), 'ann', { confirmWithinMs: 300_000 });
    await assert.rejects(apply(a, policy('other', 'x'), 'bob'), /revision 2 of ann waits to be confirmed until/);
    clock.advance(299_000);
    assert.equal((await a.applied.refresh()).head.tentative?.revision, 2);
    clock.advance(1_000);
    await assert.rejects(a.confirm(2), /was to be confirmed by|nothing waits/);
    await until('it is gone on both', () => {
      // The loser of the lease tries again a second later.
      clock.advance(1000);
      return names(a).join() === 'kept' && names(b).join() === 'kept';
    });
    const { head } = await a.applied.refresh();
    assert.equal(head.revision, 3);
    assert.deepEqual([(await a.applied.revision(2)).state, (await a.applied.revision(3)).reason], ['rolled-back', 'expired']);

    await apply(a, policy('tried', 'x'), 'ann', { confirmWithinMs: 300_000 });
    assert.equal((await b.confirm(undefined)).value.state, 'confirmed');
    clock.advance(3_600_000);
    await until('both know', async () => (await a.applied.refresh()).head.tentative === undefined && names(a).length === 2);
    assert.equal((await b.applied.refresh()).head.revision, 4);
  });

  test(`${name}: down past the deadline, it is rolled back before anything is served`, async (t) => {
    const [one, two] = await open(t);
    const clock = new ManualClock();
    const stopped = new Objects({
      store: one,
      leadership: standing(one, clock),
      clock,
      log: silentLog,
      cluster: 'east',
      parse: parserFor('mesh.test'),
    });
    await stopped.load();
    await apply(stopped, policy('kept', 'x'));
    await apply(stopped, policy('tried', 'x'), 'ann', { confirmWithinMs: 60_000 });
    clock.advance(60_001);
    const objects = new Objects({
      store: two,
      leadership: standing(two, clock),
      clock,
      log: silentLog,
      cluster: 'east',
      parse: parserFor('mesh.test'),
    });
    await objects.load();
    assert.deepEqual(names(objects), ['kept']);
  });

  test(`${name}: of the revisions the newest thousand are kept, and going back further is refused by name`, async (t) => {
    const [one] = await open(t);
    const clock = new ManualClock();
    const objects = await replica(t, one, clock);
    for (let n = 0; n < 1010; n++) await apply(objects, policy('only', n % 2 === 0 ? 'x' : 'y'));
    const { head } = await objects.applied.refresh();
    assert.deepEqual([head.revision, head.first], [1010, 11]);
    await assert.rejects(objects.rollback({ revision: 9 }, 'somebody'), /revision 9 is not kept any more: the oldest to go back to is 10/);
    const back = await objects.rollback({ revision: 10 }, 'somebody');
    assert.ok(back.ok);
    const { entries } = await one.list('objects/revisions/');
    assert.ok(entries.length <= 1000);
  });
}
