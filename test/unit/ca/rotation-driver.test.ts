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
  peers: readonly ReturnType<typeof progressOf>[] = [];

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
      progress: () => [this.#progress(), ...this.peers],
      holders: async () => ['shop/orders/vm-1'],
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

test('whoever is to be left out has to be somebody: all names that nobody has are refused at once, with whom there is to name', async (t) => {
  const east = await cluster(t);
  const lost = { name: 'shop/web/vm-9', reason: 'is not connected', offline: true };
  const peer = (cluster: string, unaware: readonly (typeof lost)[]) => {
    const report = trustReport({ cluster, version: 99, issuerRoot: '', known: [], unaware, holding: [], fault: '' });
    return progressOf(cluster, report, true);
  };
  east.peers = [peer('west', [lost]), progressOf('north', undefined, false)];
  await assert.rejects(east.driver.start({ step: false, without: ['east/vm-1', 'west', 'south/shop/web/vm-9', 'east/shop/web/vm-9'] }), {
    code: 'CONFIG_INVALID',
    message: 'nobody is called south/shop/web/vm-9 or east/shop/web/vm-9: isthmus vm list and isthmus peer list say who there is',
  });
  await east.driver.start({ step: false, without: ['west/shop/web/vm-3', 'orders/vm-1'] });
  await east.driver.abort();
  await east.driver.start({ step: false, without: [] });
  while ((await east.driver.view())?.record.phase !== 'distribute') await east.turn();
  while ((await east.driver.view())?.missing.length !== 2) await east.turn();
  const name = (...without: string[]) => east.driver.go({ without, force: false });

  await assert.rejects(name('vm-9', 'vm-77', 'west/shop/orders/vm-1', 'm-9', 'nort'), {
    code: 'CONFIG_INVALID',
    message: 'nobody is called west/shop/orders/vm-1: waited for are west/shop/web/vm-9, north',
  });
  // North says nothing: what is short may be somebody of its own.
  east.peers = [peer('west', [lost])];
  await assert.rejects(name('vm-9', 'vm-77', 'north', 'm-9', 'west/vm-9'), {
    code: 'CONFIG_INVALID',
    message: 'nobody is called vm-77 or north or m-9 or west/vm-9: waited for is west/shop/web/vm-9',
  });
  assert.deepEqual((await east.driver.view())?.record.without, [], 'all of it or nothing');

  // Holders of SVIDs of this cluster who are not waited for (yet), clusters, each way to say it, and what was said before.
  const all = ['vm-9', 'west/shop/web/vm-9', 'west', 'east/shop/orders/vm-1', 'orders/vm-1'];
  assert.deepEqual((await name(...all)).without, all);
  east.peers = [];
  assert.deepEqual((await name('vm-9')).without, all, 'who is left out already may be said again');
  await assert.rejects(name('vm-10'), { message: 'nobody is called vm-10: nobody is waited for' });

  // Of more than a report lists any of its cluster may be meant.
  const many = Array.from({ length: 40 }, (_, i) => ({ ...lost, name: `shop/web/vm-${100 + i}` }));
  east.peers = [peer('south', many)];
  await east.turn();
  await assert.rejects(name('south/shop/web/vm-139', 'north/shop/web/vm-139'), {
    message:
      /^nobody is called north\/shop\/web\/vm-139: waited for are (south\/shop\/web\/vm-\d+, ){15}south\/shop\/web\/vm-115, and 16 more$/,
  });
});
