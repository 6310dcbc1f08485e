import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { objectConflicts } from '../../../control/assemble/object-conflicts.ts';
import { ObjectSources } from '../../../control/assemble/object-sources.ts';
import { parserFor } from '../../../control/assemble/objects.ts';
import { parseConfig } from '../../../control/config/index.ts';
import { Leadership } from '../../../control/leadership/index.ts';
import { Objects, ownedObject } from '../../../control/objects/index.ts';
import { openEmbeddedStore } from '../../../control/store/index.ts';
import type { RegistryObject } from '../../../core/config/index.ts';
import { silentLog } from '../../../core/log.ts';
import { clusterId } from '../../../core/model/index.ts';
import type { Store } from '../../../core/store.ts';
import { systemClock } from '../../../core/system-clock.ts';
import type { FakeKubernetes } from '../../fakes/kubernetes-api.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { collection, kubernetesWithRules, registry, service } from '../../support/kubernetes-scene.ts';
import { onEnd } from '../../support/on-end.ts';
import { until } from '../../support/until.ts';

const parse = parserFor('mesh.test');

function registriesOf(text: string): readonly RegistryObject[] {
  const mesh = {
    apiVersion: 'isthmus.dev/v1alpha1',
    kind: 'Mesh',
    metadata: { name: 'east' },
    spec: { cluster: 'east', trustDomain: 'mesh.test', stateDir: '/s' },
  };
  const parsed = parseConfig([{ file: '/etc/isthmus.yaml', text: `${JSON.stringify(mesh)}\n---\n${text}` }]);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value.objects.filter((o): o is RegistryObject => o.kind === 'Registry');
}

/** The objects of one control plane that has these registries, from its start to its end; what it leaves is in the store. */
class Life {
  readonly objects: Objects;
  readonly sources: ObjectSources;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(t: TestContext, store: Store) {
    const around = { store, clock: systemClock, log: silentLog, parse };
    const leadership = new Leadership({ ...around, name: 'tentative', replica: 'a', ttlMs: 10_000, sole: true });
    this.objects = new Objects({ ...around, leadership, cluster: 'east' });
    this.sources = new ObjectSources({ ...around, cluster: clusterId('east'), set: this.objects.set, random: Math.random });
    this.#ended = this.sources.run(this.#stop.signal);
    onEnd(t, () => this.end());
  }

  static async start(t: TestContext, store: Store, text = ''): Promise<Life> {
    const life = new Life(t, store);
    await life.configure(text);
    return life;
  }

  configure(text: string): Promise<void> {
    return this.sources.apply(text === '' ? [] : registriesOf(text), this.#stop.signal);
  }

  end(): Promise<void> {
    this.#stop.abort();
    return this.#ended;
  }

  /** `SOURCE NAME`, with `!` where it was refused. */
  names(): string[] {
    const { objects, refused } = this.objects.set.current();
    const inForce = [...objects.values()].map((o) => `${o.owner.source} ${o.ref.name}`);
    return [...inForce, ...refused.map(({ key, owner }) => `${owner.source} ${key.split('/')[3]}!`)].sort();
  }

  holds(...expected: string[]): Promise<unknown> {
    return until(`it holds ${expected.join()}`, () => {
      assert.deepEqual(this.names(), expected);
      return true;
    });
  }
}

async function scene(t: TestContext): Promise<{ fake: FakeKubernetes; store: Store }> {
  const fake = await kubernetesWithRules(t);
  const store = await openEmbeddedStore({ dir: join(await temporaryDir(t), 'store'), clock: systemClock });
  onEnd(t, () => store.close());
  return { fake, store };
}

/** What was in force is on disk: seen by a reader of its own. */
const persisted = (store: Store, names: readonly string[]) =>
  until(`${names.join()} on disk`, async () => {
    const { entries } = await store.list('objects/watched/');
    assert.deepEqual(entries.map((e) => e.key.split('/').pop()).sort(), names);
    return true;
  });

test('in force before the API server is asked, and after it is, what it says', async (t) => {
  const { fake, store } = await scene(t);
  fake.storage.put(collection, service('one'));
  fake.storage.put(collection, service('two'));
  const first = await Life.start(t, store, registry(fake));
  await first.holds('kubernetes/prod one', 'kubernetes/prod two');
  await persisted(store, ['one', 'two']);
  await first.end();
  await fake.server.break('reset');
  fake.storage.delete(collection, 'shop', 'two');
  fake.storage.put(collection, service('three'));
  const second = await Life.start(t, store, registry(fake));
  assert.deepEqual(second.names(), ['kubernetes/prod one', 'kubernetes/prod two'], 'at once');
  await until('the outage shows', () => second.sources.conflicts().some((c) => c.kind === 'ObjectsUnread'));
  assert.deepEqual(second.names(), ['kubernetes/prod one', 'kubernetes/prod two']);
  await fake.server.repair();
  await second.holds('kubernetes/prod one', 'kubernetes/prod three');
  await until('and no more', () => second.sources.conflicts().length === 0);
  await persisted(store, ['one', 'three']);
});

test('the last good version is that of an earlier process too; the first wrong one is nothing', async (t) => {
  const { fake, store } = await scene(t);
  const wrong = service('one', {}, ['a.*.b']);
  fake.storage.put(collection, wrong);
  const first = await Life.start(t, store, registry(fake));
  await first.holds('kubernetes/prod one!');
  fake.storage.put(collection, service('one'));
  await first.holds('kubernetes/prod one');
  fake.storage.put(collection, wrong);
  await first.holds('kubernetes/prod one', 'kubernetes/prod one!');
  assert.match(JSON.stringify(objectConflicts(first.objects.set.current())), /ObjectRefused.*VirtualService shop\/one.*spec\.hosts\[0\]/);
  await persisted(store, ['one']);
  await first.end();
  const second = await Life.start(t, store, registry(fake));
  assert.deepEqual(second.names(), ['kubernetes/prod one']);
  await second.holds('kubernetes/prod one', 'kubernetes/prod one!');
});

test('one name of two sources: the older is in force; what Kubernetes holds cannot be applied or deleted', async (t) => {
  const { fake, store } = await scene(t);
  const life = await Life.start(t, store, registry(fake));
  const document = service('one');
  const checked = parse({ file: 'one', value: document, lineOf: () => 1 });
  assert.ok(checked.ok);
  const owner = { cluster: 'east', source: 'api' };
  const applied = ownedObject({ ...document }, checked.value, owner, Date.parse('2026-06-01T00:00:00Z'));
  life.objects.set.setSource({ owner, objects: new Map([['networking.istio.io/VirtualService/shop/one', applied]]) });
  fake.storage.put(collection, service('one', { creationTimestamp: '2026-07-01T00:00:00Z' }));
  fake.storage.put(collection, service('two'));
  await life.holds('api one', 'kubernetes/prod two');
  assert.deepEqual(
    life.objects.set.current().conflicts.map((c) => [c.winner.source, c.losers.map((o) => o.source)]),
    [['api', ['kubernetes/prod']]],
  );
  fake.storage.delete(collection, 'shop', 'one');
  fake.storage.put(collection, service('one', { creationTimestamp: '2026-05-01T00:00:00Z' }));
  await life.holds('kubernetes/prod one', 'kubernetes/prod two');
  const files = [{ file: 'two.yaml', text: JSON.stringify(service('two')) }];
  const refused = await life.objects.apply({ files }, 'somebody');
  assert.match(JSON.stringify(refused), /belongs to Kubernetes \(registry kubernetes\/prod\): change it there, with kubectl/);
  const names = [{ kind: 'VirtualService', namespace: 'shop', name: 'two' }];
  assert.match(JSON.stringify(await life.objects.delete({ objects: names }, 'somebody')), /belongs to Kubernetes/);
});

test('what a Registry no longer reads goes, at once and for good; also one that went while nobody ran', async (t) => {
  const { fake, store } = await scene(t);
  fake.storage.put(collection, service('one'));
  fake.storage.put(collection, service('two', { labels: { 'istio.io/rev': 'isthmus' } }));
  const first = await Life.start(t, store, registry(fake));
  await first.holds('kubernetes/prod one', 'kubernetes/prod two');
  await first.configure(registry(fake, { namespaces: [] }));
  await first.holds('kubernetes/prod two');
  await persisted(store, ['two']);
  await first.configure(registry(fake, { kinds: ['DestinationRule'] }));
  assert.deepEqual(first.names(), []);
  await first.configure(registry(fake));
  await first.holds('kubernetes/prod one', 'kubernetes/prod two');
  await persisted(store, ['one', 'two']);
  await first.configure(registry(fake, false));
  assert.deepEqual([first.names(), first.objects.set.sourcesOf('east')], [[], []]);
  await persisted(store, []);
  await first.configure(registry(fake));
  await persisted(store, ['one', 'two']);
  await first.end();
  await (await Life.start(t, store)).end();
  await fake.server.break('reset');
  const last = await Life.start(t, store, registry(fake));
  await until('it is tried', () => last.sources.conflicts().length > 0);
  assert.deepEqual([last.names(), last.objects.set.sourcesOf('east')], [[], []], 'unknown, and not empty');
});

test('a store that cannot be written: the rules are in force, and written when it can be', async (t) => {
  const { fake, store } = await scene(t);
  let broken = true;
  const failing: Store = Object.assign(Object.create(store) as Store, {
    txn: (...args: Parameters<Store['txn']>) => (broken ? Promise.reject(new Error('disk full')) : store.txn(...args)),
    list: (prefix: string) => store.list(prefix),
  });
  const life = await Life.start(t, failing, registry(fake));
  fake.storage.put(collection, service('one'));
  await life.holds('kubernetes/prod one');
  await persisted(store, []);
  broken = false;
  await persisted(store, ['one']);
});
