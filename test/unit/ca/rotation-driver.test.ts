import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Authority, caInit, RootFolder, RotationDriver } from '../../../control/ca/index.ts';
import { progressOf, trustReport } from '../../../control/ca/rotation/report.ts';
import { rootOver } from '../../../control/ca/rotation/statement.ts';
import { silentLog } from '../../../core/log.ts';
import { fingerprintOf } from '../../../core/pki/index.ts';
import type { Txn } from '../../../core/store.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { MemoryStore } from '../../fakes/memory-store.ts';
import { temporaryDir } from '../../support/control-plane.ts';

/** One cluster whose control plane dies at will: what is on disk and in the store is all that the next one has. */
class Cluster {
  readonly dir: string;
  readonly store: MemoryStore;
  authority!: Authority;
  driver!: RotationDriver;
  /** Transactions until it dies, and whether the last of them still counts. */
  fuse = Number.POSITIVE_INFINITY;
  counts = false;

  constructor(dir: string, store: MemoryStore) {
    this.dir = dir;
    this.store = store;
  }

  async boot(): Promise<void> {
    const clock = systemClock;
    const folder = new RootFolder(join(this.dir, 'root'), 'mesh.test');
    const online = await folder.load();
    this.authority = await Authority.open({
      dir: join(this.dir, 'ca'),
      cluster: 'east',
      trustDomain: 'mesh.test',
      online,
      intermediateTtlMs: 86_400_000,
      clock,
      log: silentLog,
    });
    const store = { get: (key: string) => this.store.get(key), txn: (txn: Txn) => this.#txn(txn) };
    this.driver = new RotationDriver({
      authority: this.authority,
      store,
      folder,
      progress: () => [this.#progress()],
      clock,
      log: silentLog,
    });
  }

  /** What its keeper would do of itself, then one step. */
  async turn(): Promise<void> {
    const { authority } = this;
    await authority.rotateIfDue();
    await authority.dropRoots(authority.trust.leftOver().map(fingerprintOf));
    await this.driver.step([]);
  }

  async #txn(txn: Txn) {
    this.fuse -= 1;
    if (this.fuse < 0) throw new Error('it is dead');
    if (this.fuse > 0) return this.store.txn(txn);
    if (this.counts) await this.store.txn(txn);
    throw new Error('it dies');
  }

  #progress() {
    const { trust, intermediate, cluster } = this.authority;
    const issuerRoot = intermediate === undefined ? undefined : rootOver(intermediate, trust.roots);
    const known = trust.roots.map(fingerprintOf);
    const report = trustReport({ cluster, version: trust.version, issuerRoot, known, unaware: [], holding: [], fault: '' });
    return progressOf(cluster, report, true);
  }
}

async function cluster(t: TestContext): Promise<Cluster> {
  const dir = await temporaryDir(t);
  await caInit(join(dir, 'root'), 'mesh.test', Date.now());
  const made = new Cluster(dir, new MemoryStore());
  await made.boot();
  return made;
}

async function finish(of: Cluster, end: string): Promise<void> {
  for (let i = 0; i < 40; i++) {
    if ((await of.driver.view())?.record.phase === end) return;
    await of.turn();
  }
  assert.fail(`it never is ${end}: ${JSON.stringify(await of.driver.view())}`);
}

for (const counts of [false, true]) {
  test(`a rotation whose control plane dies at each write (which ${counts ? 'still counts' : 'is lost'}) ends as one that never did`, async (t) => {
    const east = await cluster(t);
    const before = fingerprintOf(east.authority.trust.roots[0] ?? assert.fail());
    await east.driver.start({ step: false, without: [] });
    let deaths = 0;
    while ((await east.driver.view())?.record.phase !== 'done') {
      assert.ok(deaths < 40, 'it goes on');
      east.counts = counts;
      // One more write than in the life before, unless none was lost in it.
      east.fuse = counts ? 1 : 1 + (deaths % 2);
      for (let i = 0; i < 3; i++) await east.turn().catch(() => undefined);
      deaths += 1;
      east.fuse = Number.POSITIVE_INFINITY;
      await east.boot();
    }
    const { trust, intermediate } = east.authority;
    assert.equal(trust.roots.length, 1);
    assert.notEqual(fingerprintOf(trust.roots[0] ?? assert.fail()), before);
    assert.equal(trust.latest?.version, 3, 'no statement was made twice');
    assert.equal(rootOver(intermediate ?? assert.fail(), trust.roots), fingerprintOf(trust.roots[0] ?? assert.fail()));
    assert.deepEqual((await readdir(join(east.dir, 'root'))).sort(), [`retired-${before.slice(0, 16)}.pem`, 'root.pem']);
    assert.ok(deaths >= 4, `it died ${deaths} times`);
    // And the next one begins from there.
    await east.driver.start({ step: false, without: [] });
    await finish(east, 'done');
    assert.equal(east.authority.trust.latest?.version, 6);
  });
}

test('abort goes back from each phase, but from the last one', async (t) => {
  for (const phase of ['distribute', 'sign'] as const) {
    const east = await cluster(t);
    const before = fingerprintOf(east.authority.trust.roots[0] ?? assert.fail());
    await east.driver.start({ step: true, without: [] });
    if (phase === 'sign') await east.driver.go({ without: [], force: false });
    for (let i = 0; i < 6; i++) {
      await east.turn();
      if (phase === 'sign' && (await east.driver.view())?.record.phase === 'distribute')
        await east.driver.go({ without: [], force: false });
      else if ((await east.driver.view())?.record.phase === 'prepare') await east.driver.go({ without: [], force: false });
    }
    assert.equal((await east.driver.view())?.record.phase, phase);
    await east.driver.abort();
    await finish(east, 'aborted');
    const { trust, intermediate } = east.authority;
    assert.deepEqual(trust.roots.map(fingerprintOf), [before]);
    assert.equal(rootOver(intermediate ?? assert.fail(), trust.roots), before);
  }
  const east = await cluster(t);
  await east.driver.start({ step: true, without: [] });
  while ((await east.driver.view())?.record.to === undefined) await east.turn();
  const refused = (await east.driver.view())?.record.to ?? '';
  assert.equal((await east.driver.abort()).phase, 'aborted');
  assert.deepEqual((await readdir(join(east.dir, 'root'))).sort(), [`retired-${refused.slice(0, 16)}.pem`, 'root.pem']);
  await east.driver.start({ step: false, without: [] });
  await finish(east, 'done');
  assert.notEqual((await east.driver.view())?.record.to, refused, 'a root that was given up does not come back');
  await assert.rejects(east.driver.abort(), /no rotation is under way/);
  await assert.rejects(east.driver.go({ without: [], force: false }), /no rotation is under way/);
});
