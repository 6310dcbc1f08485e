import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Authority, caInit, type Grant, Ledger, RootFolder, RotationDriver, TrustKeeper } from '../../../control/ca/index.ts';
import type { InstanceRoots } from '../../../control/ca/rotation/root-reports.ts';
import { silentLog } from '../../../core/log.ts';
import { fingerprintOf, generateKey, spkiOf } from '../../../core/pki/index.ts';
import type { Store } from '../../../core/store.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const hour = 3_600_000;

/** One cluster with the root's key, what it has issued, and a rotation of which each look is taken by hand. */
class Scene {
  readonly clock = new ManualClock();
  readonly ledger: Ledger;
  readonly authority: Authority;
  readonly driver: RotationDriver;
  readonly reports = new Map<string, InstanceRoots>();
  readonly #store: MemoryStore;
  readonly #keeper: TrustKeeper;

  private constructor(authority: Authority, folder: RootFolder, clock: ManualClock) {
    this.clock = clock;
    this.authority = authority;
    this.#store = new MemoryStore();
    this.ledger = new Ledger(this.#store as unknown as Store);
    const { ledger, reports } = this;
    const common = { authority, clock, log: silentLog };
    this.#keeper = new TrustKeeper({
      ...common,
      ledger,
      clients: () => [...reports.keys()].map((name) => ({ name, behind: false })),
      reports: () => reports,
      own: () => [],
      peers: () => [],
      onWords: () => {},
      intermediateTtlMs: 30 * 24 * hour,
      quietMs: 10_000,
    });
    const holders = async () => (await ledger.issued(clock.now())).map(({ name }) => name);
    this.driver = new RotationDriver({ ...common, store: this.#store, folder, progress: () => this.#keeper.progress(), holders });
  }

  static async open(t: TestContext): Promise<Scene> {
    const dir = await temporaryDir(t);
    const clock = new ManualClock();
    await caInit(join(dir, 'root'), 'mesh.test', clock.now());
    const folder = new RootFolder(join(dir, 'root'), 'mesh.test');
    const online = await folder.load();
    const names = { dir: join(dir, 'ca'), cluster: 'east', trustDomain: 'mesh.test' };
    const authority = await Authority.open({ ...names, online, intermediateTtlMs: 30 * 24 * hour, clock, log: silentLog });
    return new Scene(authority, folder, clock);
  }

  /** An SVID of a day; returns its serial. */
  async issue(instance: string, grant = instance): Promise<string> {
    const claims = { role: 'workload' as const, namespace: 'shop', serviceAccount: 'orders', services: [], addresses: [] };
    const fresh: Grant = {
      ...{ id: grant, attestor: 'join-token', proof: '', claims, instance },
      ...{ createdAt: this.clock.now(), lastNotAfter: 0, revoked: false },
    };
    const key = `ca/grants/${grant}`;
    if ((await this.ledger.grant(grant)) === undefined)
      await this.#store.txn({ if: [], then: [{ op: 'put', key, value: Buffer.from(JSON.stringify(fresh)) }] });
    const id = { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'orders' };
    const { leaf, issuer } = this.authority.issueSvid(spkiOf(generateKey()), id, 24 * hour);
    await this.ledger.recordIssued(grant, leaf.serial, leaf.notAfter, issuer);
    return leaf.serial;
  }

  /** Connected, with all roots on disk, presenting this. */
  connect(instance: string, serial: string): void {
    const trusted = new Set(this.authority.trust.roots.map(fingerprintOf));
    this.reports.set(`shop/orders/${instance}`, { serial, trusted, uses: [] });
  }

  /** Looks until nothing changes any more, past the time in which those who were cut off come back. */
  async settle(): Promise<{ readonly phase: string; readonly missing: readonly string[] }> {
    for (let i = 0; i < 12; i++) {
      this.clock.advance(2_000);
      await this.#keeper.look();
      await this.driver.step([]);
    }
    const view = await this.driver.view();
    return { phase: view?.record.phase ?? '', missing: (view?.missing ?? []).map(({ name }) => name) };
  }

  start(): Promise<unknown> {
    return this.driver.start({ step: false, without: [] });
  }
}

test('who has left is not waited for; who is merely away is, until it is named, and no longer by the rotation after that', async (t) => {
  const scene = await Scene.open(t);
  for (const instance of ['left', 'away']) await scene.issue(instance);
  await scene.settle();
  await scene.start();
  await scene.ledger.setLeft('left', true);
  assert.deepEqual(await scene.settle(), { phase: 'distribute', missing: ['shop/orders/away'] });
  await scene.driver.go({ without: ['away'], force: false });
  assert.deepEqual(await scene.settle(), { phase: 'done', missing: [] });
  assert.equal(scene.authority.trust.roots.length, 1);

  // Both still hold SVIDs that have not ended, under a root that counts nowhere.
  assert.equal((await scene.ledger.issued(scene.clock.now())).length, 2);
  const serial = await scene.issue('stays');
  await scene.start();
  await scene.settle();
  scene.connect('stays', serial);
  const waits = await scene.settle();
  assert.deepEqual(waits, { phase: 'sign', missing: ['shop/orders/stays'] }, 'whose SVID is under the root that goes');
  await scene.driver.abort();
  assert.deepEqual(await scene.settle(), { phase: 'aborted', missing: [] }, 'and on the way back nobody of before either');
});

test('who comes back with what it left with is waited for again, and so is who is given another SVID', async (t) => {
  const scene = await Scene.open(t);
  const [back] = [await scene.issue('back'), await scene.issue('renews'), await scene.issue('namesake', 'older')];
  await scene.issue('namesake', 'newer');
  await scene.settle();
  for (const grant of ['back', 'renews', 'newer']) await scene.ledger.setLeft(grant, true);
  await scene.start();
  const named = async () => (await scene.settle()).missing.toSorted();
  assert.deepEqual(await named(), ['shop/orders/namesake'], 'another grant of that name is somebody else');
  await scene.ledger.setLeft('back', false);
  assert.deepEqual(await named(), ['shop/orders/back', 'shop/orders/namesake']);
  await scene.issue('renews');
  assert.deepEqual(await named(), ['shop/orders/back', 'shop/orders/namesake', 'shop/orders/renews']);
  assert.equal((await scene.ledger.grant('renews'))?.value.left, undefined);

  // In the signing phase, too: it holds what is under the root that goes, so that one stays.
  await scene.ledger.setLeft('back', true);
  await scene.driver.go({ without: ['namesake', 'renews'], force: false });
  scene.connect('back', back);
  const sign = await scene.settle();
  assert.deepEqual([sign.phase, sign.missing], ['sign', ['shop/orders/back']], 'it presents it, whatever the ledger says');
  assert.equal(scene.authority.trust.roots.length, 2);
  scene.reports.delete('shop/orders/back');
  assert.equal((await scene.settle()).phase, 'done');
});

test('a root that somebody is still met under is in use, whoever has left', async (t) => {
  const scene = await Scene.open(t);
  await scene.issue('left');
  const serial = await scene.issue('meets');
  scene.connect('meets', serial);
  await scene.settle();
  const [old] = scene.authority.trust.roots.map(fingerprintOf);
  await scene.ledger.setLeft('left', true);
  await scene.start();
  assert.equal((await scene.settle()).phase, 'distribute');
  scene.connect('meets', serial);
  assert.equal((await scene.settle()).phase, 'sign');
  scene.connect('meets', await scene.issue('meets'));
  const report = scene.reports.get('shop/orders/meets');
  assert.ok(report !== undefined && old !== undefined);
  // Its own SVID is a new one; the machine that left, and whose endpoint is gone, calls it all the same.
  const uses = [{ root: old, idleMs: 0, lastPeer: 'spiffe://mesh.test/ns/shop/sa/orders east' }];
  scene.reports.set('shop/orders/meets', { ...report, uses });
  assert.deepEqual(await scene.settle(), { phase: 'sign', missing: ['shop/orders/meets'] });
  scene.reports.set('shop/orders/meets', { ...report, uses: uses.map((use) => ({ ...use, idleMs: 10_000 })) });
  assert.equal((await scene.settle()).phase, 'done');
});
