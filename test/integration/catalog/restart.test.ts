import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { createCatalog } from '../../../control/catalog/index.ts';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import { clusterId, serviceKey, sourceId } from '../../../core/model/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { ScriptedSource } from '../../fakes/scripted-source.ts';
import { endpoint, service } from '../../support/mesh-records.ts';
import { until } from '../../support/until.ts';

test('over the embedded store: what was flushed is served at once by the next process, before its registry answers', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-catalog-'));
  const east = clusterId('east');
  const open = async () => {
    const store = await openEmbeddedStore({ dir, clock: systemClock });
    const stop = new AbortController();
    const catalog = createCatalog({ cluster: east, store, clock: systemClock, expireAfterMs: 0 });
    await catalog.start(stop.signal);
    const close = async () => {
      stop.abort();
      await catalog.dispose();
      await store.close();
    };
    return { catalog, close };
  };
  try {
    const first = await open();
    const source = new ScriptedSource('consul/dc1');
    first.catalog.addSource(source, { claims: ['*'] });
    const many = Array.from({ length: 300 }, (_, i) => service(`shop/s${i}`, [endpoint('a')]));
    source.say({ kind: 'snapshot', services: many, cursor: '1' });
    await until('the snapshot', () => first.catalog.current().services.size === 300);
    source.say({ kind: 'delete', id: serviceKey('shop', 's7'), cursor: '2' });
    await until('the delete', () => first.catalog.current().services.size === 299);
    await first.catalog.flush();
    await first.close();

    const second = await open();
    second.catalog.addSource(new ScriptedSource('consul/dc1'), { claims: ['*'] });
    assert.equal(second.catalog.current().services.size, 299);
    assert.equal(second.catalog.current().services.has(serviceKey('shop', 's7')), false);
    assert.deepEqual(
      second.catalog.status().map((s) => [s.source, s.state, s.restored]),
      [[sourceId('consul/dc1'), 'stale', true]],
    );
    await second.catalog.removeSource(sourceId('consul/dc1'));
    await second.catalog.flush();
    await second.close();

    const third = await open();
    third.catalog.addSource(new ScriptedSource('consul/dc1'), { claims: ['*'] });
    assert.deepEqual([third.catalog.current().services.size, third.catalog.status()[0]?.state], [0, 'unknown']);
    await third.close();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
