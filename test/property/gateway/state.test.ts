import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { native, nativeTypeUrls, type XdsUpdate } from '../../../core/xds/index.ts';
import { type DataPlaneState, loadState, StateStore, saveState } from '../../../gateway/index.ts';

const bytes = (message: Uint8Array) => Buffer.from(message);
const good = (name: string, port: number) =>
  bytes(native.Cluster.encode(native.Cluster.create({ name, host: 'h', namespace: 'n', service: 's', port })).finish());

const name = fc.constantFrom('a', 'b', 'c', 'd');
const change = fc.oneof(
  fc.record({ name, value: fc.integer({ min: 1, max: 65_535 }).map((port) => ({ port, bad: false })) }),
  fc.record({ name, value: fc.constantFrom(0, 70_000).map((port) => ({ port, bad: true })) }),
);
const update = fc.record({ changed: fc.uniqueArray(change, { selector: (c) => c.name }), removed: fc.uniqueArray(name) });

describe('data plane state', () => {
  test('the last good version of each resource, whatever comes in between; older states stay as they were', () => {
    fc.assert(
      fc.property(fc.array(update, { maxLength: 20 }), (updates) => {
        const store = new StateStore();
        const model = new Map<string, number>();
        const seen: [DataPlaneState, string][] = [];
        const print = (state: DataPlaneState) => JSON.stringify([...state.clusters].map(([key, c]) => [key, c.port]).sort());
        for (const { changed, removed } of updates) {
          const gone = removed.filter((each) => !changed.some((c) => c.name === each));
          const wire: XdsUpdate = {
            typeUrl: nativeTypeUrls.cluster,
            changed: changed.map((c) => ({
              name: c.name,
              version: '1',
              any: { typeUrl: nativeTypeUrls.cluster, value: good(c.name, c.value.port) },
            })),
            removed: gone,
          };
          const rejections = store.apply(wire);
          assert.deepEqual(
            rejections.map((r) => r.name).sort(),
            changed
              .filter((c) => c.value.bad)
              .map((c) => c.name)
              .sort(),
          );
          for (const each of gone) model.delete(each);
          for (const c of changed) if (!c.value.bad) model.set(c.name, c.value.port);
          assert.equal(print(store.current), JSON.stringify([...model].sort()));
          seen.push([store.current, print(store.current)]);
        }
        for (const [state, text] of seen) assert.equal(print(state), text);
      }),
    );
  });

  test('never throws for what a control plane sends', () => {
    const typeUrl = fc.constantFrom(...Object.values(nativeTypeUrls), 'type.googleapis.com/unknown');
    fc.assert(
      fc.property(typeUrl, fc.uint8Array({ maxLength: 200 }), (url, value) => {
        const store = new StateStore();
        const rejections = store.apply({
          typeUrl: url,
          changed: [{ name: 'x', version: '1', any: { typeUrl: url, value: bytes(value) } }],
          removed: ['y'],
        });
        assert.ok(rejections.length <= 1);
      }),
      { numRuns: 500 },
    );
  });

  test('a name that is another inside is refused, and a listener without a kind', () => {
    const store = new StateStore();
    const apply = (typeUrl: string, value: Uint8Array) =>
      store.apply({ typeUrl, changed: [{ name: 'x', version: '1', any: { typeUrl, value: bytes(value) } }], removed: [] });
    assert.match(apply(nativeTypeUrls.cluster, good('y', 1))[0]?.reason ?? '', /is named y inside/);
    assert.match(
      apply(nativeTypeUrls.listener, native.Listener.encode(native.Listener.create({ name: 'x' })).finish())[0]?.reason ?? '',
      /kind/,
    );
    assert.equal(store.current.clusters.size + store.current.listeners.size, 0);
  });
});

describe('state on disk', () => {
  const resources = [1, 2, 3].map((i) => ({ typeUrl: nativeTypeUrls.cluster, name: `c${i}`, version: `v${i}`, value: good(`c${i}`, i) }));

  test('comes back as it was; any damage counts as none; owner-only', async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'isthmus-'));
    t.after(() => rm(dir, { recursive: true, force: true }));
    const path = join(dir, 'state');
    assert.deepEqual(await loadState(path), { resources: [], savedAtMs: 0, ageMs: 0 });
    await saveState(path, resources, { savedAtMs: 1_234, ageMs: 5 });
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const loaded = await loadState(path);
    assert.deepEqual(
      [loaded.savedAtMs, loaded.ageMs, loaded.fault, loaded.resources.map((r) => r.name)],
      [1_234, 5, undefined, ['c1', 'c2', 'c3']],
    );
    const store = new StateStore();
    assert.equal(store.restore(loaded.resources).length, 3);
    assert.equal(store.current.clusters.get('c2')?.port, 2);
    const whole = await readFile(path);
    for (const cut of [0, 1, 40, whole.length - 1]) {
      await writeFile(path, whole.subarray(0, cut));
      assert.deepEqual([(await loadState(path)).fault, (await loadState(path)).resources], ['it is damaged', []], `cut at ${cut}`);
    }
    const flipped = Buffer.from(whole);
    flipped[whole.length - 5] = (flipped[whole.length - 5] ?? 0) ^ 1;
    await writeFile(path, flipped);
    assert.equal((await loadState(path)).fault, 'it is damaged');
    await writeFile(path, whole.toString().replace('state-v1', 'state-v0'));
    assert.deepEqual([(await loadState(path)).fault, (await loadState(path)).resources], ['it was written in another format, v0', []]);
    await rm(path);
    await mkdir(path);
    assert.match((await loadState(path)).fault ?? '', /^it cannot be read: EISDIR/);
  });

  test('what this version refuses is left out, and asked for again', () => {
    const store = new StateStore();
    const bad = { typeUrl: nativeTypeUrls.cluster, name: 'bad', version: '1', value: good('bad', 0) };
    assert.deepEqual(
      store.restore([bad, ...resources]).map((r) => r.name),
      ['c1', 'c2', 'c3'],
    );
  });
});
