import assert from 'node:assert/strict';
import test from 'node:test';
import { Publishing, type PublishingOptions } from '../../../control/assemble/publishing.ts';
import { Latest } from '../../../core/latest.ts';
import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { gatewayOf, serviceOf, viewOf } from '../../support/catalog-view.ts';
import { until } from '../../support/until.ts';

test('a registry that is no longer published to keeps nothing, and gets everything when it is again', async (t) => {
  const held = new Set<string>();
  const publisher = {
    id: 'consul/dc1',
    reconcile: async (services: readonly { name: string }[]) => {
      held.clear();
      for (const { name } of services) held.add(name);
      return { written: 0, removed: 0, conflicts: [] };
    },
    listOwned: async () => [...held],
    removeAll: async () => {
      const removed = held.size;
      held.clear();
      return { written: 0, removed, conflicts: [] };
    },
  };
  const view = viewOf([serviceOf('payments', [{ instance: 'p', cluster: 'west', network: 'b' }])], [gatewayOf('a', 'east', ['192.0.2.1'])]);
  const one = [{ object: { spec: { rules: { network: 'a' } } }, publisher }];
  const sources = { publishers: one as typeof one };
  const changes = new Latest<unknown>();
  changes.set(view);
  const catalog = { changes: () => changes, current: () => view };
  const mesh = { originate: { portRange: [16_000, 16_009] } };
  const rest = { store: new MemoryStore(), clock: systemClock, random: Math.random, log: silentLog, onPorts: () => undefined };
  const publishing = new Publishing({ mesh, catalog, sources, ...rest } as unknown as PublishingOptions);
  const stop = new AbortController();
  await publishing.load();
  await publishing.refresh(stop.signal);
  assert.equal(held.size, 0, 'nothing is planned before the catalog is followed');
  const running = publishing.run(stop.signal);
  t.after(async () => {
    changes.close();
    stop.abort();
    await running;
  });
  await until('it is published', () => held.has('payments'));
  // Only the configuration changes; the catalog says nothing new.
  sources.publishers = [];
  await publishing.refresh(stop.signal);
  await until('it is taken back', () => held.size === 0);
  sources.publishers = one;
  await publishing.refresh(stop.signal);
  await until('it is published again', () => held.has('payments'));
});
