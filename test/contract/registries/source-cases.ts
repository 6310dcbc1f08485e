import assert from 'node:assert/strict';
import { serviceKey } from '../../../core/model/index.ts';
import type { RegistryEvent } from '../../../core/registry/index.ts';
import { until } from '../../support/until.ts';
import type { Follower } from './follower.ts';
import type { RegistryCase, RegistryHarness } from './harness.ts';

export function sourceCases(registryCase: RegistryCase): void {
  registryCase('the first event is a snapshot of what is there', async ({ harness, follow, name }) => {
    const web = name('web');
    await harness.register(web, 'one', 8081);
    await harness.register(web, 'two', 8082);
    const follower = follow();
    await follower.untilKind('snapshot');
    assert.equal(firstOf(follower), 'snapshot');
    await follower.untilPorts(web, 8081, 8082);
    const record = follower.state.get(serviceKey('default', web));
    assert.equal(new Set(record?.endpoints.map((e) => e.instance)).size, 2);
    for (const endpoint of record?.endpoints ?? []) {
      for (const port of Object.keys(endpoint.ports))
        assert.ok(
          record?.ports.some((p) => p.name === port),
          `port ${port} is the service's`,
        );
    }
    await harness.deregister(web, 'one');
    await harness.deregister(web, 'two');
  });

  registryCase('services and instances come, change and go as deltas', async ({ harness, follow, name }) => {
    const api = name('api');
    const follower = follow();
    await follower.untilKind('snapshot');
    await harness.register(api, 'one', 9001);
    await follower.untilPorts(api, 9001);
    await harness.register(api, 'two', 9002);
    await follower.untilPorts(api, 9001, 9002);
    await harness.deregister(api, 'one');
    await follower.untilPorts(api, 9002);
    await harness.deregister(api, 'two');
    await until('the service is gone', () => (follower.ports(api) ?? []).length === 0);
    assert.deepEqual(
      follower.kinds().filter((k) => k === 'snapshot' || k === 'stale'),
      ['snapshot'],
      'a change needs no resync',
    );
  });

  registryCase('health changes arrive, and an unhealthy endpoint stays known', async ({ harness, follow, name, skip }) => {
    if (harness.setHealth === undefined) return skip('health has a test of its own');
    const job = name('job');
    await harness.register(job, 'one', 9101);
    await harness.register(job, 'two', 9102);
    const follower = follow();
    await follower.untilPorts(job, 9101, 9102);
    await harness.setHealth(job, 'one', false);
    await follower.untilPorts(job, 9102);
    assert.deepEqual(follower.ports(job, true), [9101, 9102]);
    await harness.setHealth(job, 'one', true);
    await follower.untilPorts(job, 9101, 9102);
    await harness.deregister(job, 'one');
    await harness.deregister(job, 'two');
  });

  registryCase('a reader that is slow misses nothing', async ({ harness, name }) => {
    const controller = new AbortController();
    const iterator = harness.source().watch(controller.signal)[Symbol.asyncIterator]();
    try {
      await slowReader(harness, name, iterator);
    } finally {
      // Also when an assertion failed: a watch that goes on would keep the process.
      controller.abort();
      assert.equal((await iterator.next()).done, true);
    }
  });

  registryCase('changes of many services at once all arrive', async ({ harness, follow, name }) => {
    const follower = follow();
    await follower.untilKind('snapshot');
    const names = Array.from({ length: harness.bulk }, (_, i) => name(`many${i}`));
    await Promise.all(names.map((n, i) => harness.register(n, 'one', 11_000 + i)));
    for (const [i, n] of names.entries()) await follower.untilPorts(n, 11_000 + i);
    await Promise.all(names.map((n) => harness.deregister(n, 'one')));
    for (const n of names) await follower.untilPorts(n);
  });

  registryCase('abort ends the iteration, leaves no connection, and the source can be watched again', async ({ harness, follow, name }) => {
    const again = name('again');
    await harness.register(again, 'one', 9201);
    const first = follow();
    await first.untilPorts(again, 9201);
    await first.stop();
    if (harness.connections !== undefined) await until('connections are closed', () => harness.connections?.() === 0);
    const second = follow();
    await second.untilPorts(again, 9201);
    assert.equal(firstOf(second), 'snapshot');
    await harness.deregister(again, 'one');
  });

  registryCase('a reader that stops reading ends everything too', async ({ harness }) => {
    for await (const event of harness.source().watch(new AbortController().signal)) {
      // As in `firstOf`.
      if (event.kind === 'stale') continue;
      assert.equal(event.kind, 'snapshot');
      break;
    }
    if (harness.connections !== undefined) await until('connections are closed', () => harness.connections?.() === 0);
  });
}

/** Of what says anything of services: a busy machine may lose the first try, and the contract lets a source say so. */
function firstOf(follower: Follower): string | undefined {
  return follower.kinds().find((kind) => kind !== 'stale');
}

async function slowReader(harness: RegistryHarness, name: (text: string) => string, iterator: AsyncIterator<RegistryEvent>): Promise<void> {
  let first = await iterator.next();
  // As in `firstOf`.
  while (first.value?.kind === 'stale') first = await iterator.next();
  assert.equal(first.value?.kind, 'snapshot');
  const names = Array.from({ length: harness.bulk }, (_, i) => name(`slow${i}`));
  for (const [i, service] of names.entries()) await harness.register(service, 'one', 10_000 + i);
  const seen = new Map<string, number>();
  // Where a service and its instances are separate objects, it is heard of before them.
  while (names.some((n, i) => seen.get(n) !== 10_000 + i)) {
    const { value, done } = await iterator.next();
    assert.ok(done !== true);
    const records = value.kind === 'snapshot' ? value.services : value.kind === 'upsert' ? [value.service] : [];
    for (const r of records) seen.set(r.name, Object.values(r.endpoints[0]?.ports ?? {})[0] ?? 0);
  }
  for (const service of names) await harness.deregister(service, 'one');
}
