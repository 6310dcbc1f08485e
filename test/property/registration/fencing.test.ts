import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Instances } from '../../../control/registration/index.ts';
import { MeshError } from '../../../core/errors.ts';
import type { Store } from '../../../core/store.ts';
import { instanceKey, type RegisteredWorkload } from '../../../registries/vm/index.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';

const record = (generation: number): RegisteredWorkload => ({
  role: 'workload',
  instance: 'vm-1',
  namespace: 'shop',
  serviceAccount: 'orders',
  grant: 'g',
  generation,
  replica: 'r',
  network: 'net-a',
  labels: {},
  locality: '',
  version: '',
  registeredAt: 1,
  draining: false,
  expired: false,
  addresses: ['10.0.0.1'],
  inboundPort: 15_006,
  services: [{ namespace: 'shop', name: 'orders', port: 80, portName: 'http', protocol: 'http' }],
});
const key = instanceKey(record(1));

const step = fc.record({
  what: fc.constantFrom('register' as const, 'report' as const, 'expire' as const, 'remove' as const),
  generation: fc.integer({ min: 1, max: 4 }),
});

async function take(instances: Instances, { what, generation }: { what: string; generation: number }): Promise<boolean> {
  try {
    if (what === 'register') await instances.register(record(generation));
    else if (what === 'report') await instances.report(key, generation, { draining: false, services: [], sockets: [] });
    else if (what === 'expire') await instances.markExpired(key, generation);
    else await instances.remove(key, generation);
    return true;
  } catch (error) {
    assert.ok(error instanceof MeshError && ['FENCED', 'NOT_FOUND'].includes(error.code), String(error));
    return false;
  }
}

test('whatever the order of starts, reports, expiries and goodbyes: the newest start that was heard is never undone by an older one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      // Nothing here watches or leases.
      const instances = new Instances(new MemoryStore() as unknown as Store);
      let newest = 0;
      let present = false;
      let expired = false;
      for (const each of steps) {
        const taken = await take(instances, each);
        const current: boolean = each.generation === newest && present;
        if (each.what === 'register') {
          assert.equal(taken, each.generation >= newest);
          if (taken) [newest, present, expired] = [each.generation, true, false];
        } else if (each.what !== 'remove') {
          assert.equal(taken, current);
          if (taken) expired = each.what === 'expire';
        } else if (current) {
          present = false;
        }
        const [stored] = await instances.list();
        assert.equal(stored?.record.generation, present ? newest : undefined);
        assert.equal(stored?.record.expired, present ? expired : undefined);
      }
    }),
    { numRuns: 300 },
  );
});

test('of starts that register at once, one of the newest remains', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 }), async (generations) => {
      const instances = new Instances(new MemoryStore() as unknown as Store);
      await Promise.all(generations.map((generation) => take(instances, { what: 'register', generation })));
      const [stored] = await instances.list();
      assert.equal(stored?.record.generation, Math.max(...generations));
    }),
    { numRuns: 100 },
  );
});

test('a report that goes by an old reading never undoes a newer start, nor brings back what has left', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 10 }), async (steps) => {
      const instances = new Instances(new MemoryStore() as unknown as Store);
      await instances.register(record(1));
      const known = await instances.stored(key);
      for (const each of steps) await take(instances, each);
      const [before] = await instances.list();
      await instances.report(key, 1, { draining: true, services: [], sockets: [] }, known).catch((error: unknown) => {
        assert.ok(error instanceof MeshError && ['FENCED', 'NOT_FOUND'].includes(error.code), String(error));
      });
      const [after] = await instances.list();
      assert.equal(after?.record.generation, before?.record.generation);
      assert.equal(after?.record.draining, before === undefined ? undefined : before.record.generation === 1);
    }),
    { numRuns: 200 },
  );
});

test('of two starts that say one generation the first that registers stays until it leaves or a newer one comes; who says no start is as it ever was', async () => {
  const hello = fc.record({
    what: fc.constantFrom('register' as const, 'register' as const, 'expire' as const, 'remove' as const),
    generation: fc.integer({ min: 1, max: 3 }),
    start: fc.constantFrom('a', 'b', undefined),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(hello, { maxLength: 30 }), async (steps) => {
      const instances = new Instances(new MemoryStore() as unknown as Store);
      let newest = 0;
      let holder: { readonly start: string | undefined } | undefined;
      for (const { what, generation, start } of steps) {
        if (what !== 'register') {
          await take(instances, { what, generation });
          if (what === 'remove' && generation === newest) holder = undefined;
          continue;
        }
        const said = start === undefined ? record(generation) : { ...record(generation), start };
        const twin = generation === newest && holder?.start !== undefined && start !== undefined && holder.start !== start;
        const taken = await instances.register(said).then(
          () => true,
          (error: unknown) => {
            assert.equal((error as MeshError).code, 'FENCED');
            return false;
          },
        );
        assert.equal(taken, generation >= newest && !twin);
        if (taken) [newest, holder] = [generation, { start }];
        const [stored] = await instances.list();
        assert.equal(stored?.record.start, holder?.start);
      }
    }),
    { numRuns: 300 },
  );
});
