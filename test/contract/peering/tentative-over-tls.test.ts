import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { parserFor } from '../../../control/assemble/objects.ts';
import { Leadership } from '../../../control/leadership/index.ts';
import { Objects } from '../../../control/objects/index.ts';
import { SharedObjects } from '../../../control/peering/shared-objects.ts';
import { silentLog } from '../../../core/log.ts';
import { route } from '../../support/drift-scene.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { onEnd } from '../../support/on-end.ts';
import { PeerSite } from '../../support/peer-site.ts';
import { TcpRelay } from '../../support/tcp-relay.ts';
import { until } from '../../support/until.ts';

const pki = new MeshPki();
const minute = 60_000;
const graceMs = 2_000;
const start = 1_900_000_000_000;
/** Of how much west's clock is ahead: far more than certificates would allow. */
const skewMs = 20 * minute;
const before = { changed: '1s', deleted: '1s' };
const after = { created: '2s', changed: '2s' };

/** East, where changes are made, and west, which dials it through a relay; each with a clock of its own. */
class Pair {
  readonly clocks = { east: new ManualClock(start), west: new ManualClock(start + skewMs) };
  readonly relay: TcpRelay;
  east!: PeerSite;
  west!: PeerSite;
  objects!: Objects;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  private constructor(relay: TcpRelay) {
    this.relay = relay;
  }

  static async start(t: TestContext): Promise<Pair> {
    const pair = new Pair(await TcpRelay.start(1));
    onEnd(t, () => pair.relay.close());
    await pair.startEast({ west: [] });
    onEnd(t, () => pair.stopEast(false));
    await pair.startWest({ east: [`127.0.0.1:${pair.relay.port}`] });
    onEnd(t, () => pair.west.stop());
    await pair.holds({});
    await pair.apply(undefined, route('changed', '1s'), route('deleted', '1s'));
    await pair.holds(before);
    return pair;
  }

  async startEast(peers: Readonly<Record<string, readonly string[]>> = {}): Promise<void> {
    const clock = this.clocks.east;
    this.east = await PeerSite.start({ pki, cluster: 'east', clock }, peers, this.east?.dir);
    const { store } = this.east;
    const around = { store, clock, log: silentLog };
    const leadership = new Leadership({ ...around, name: 'tentative', replica: 'a', ttlMs: 10_000, sole: true });
    this.objects = new Objects({ ...around, leadership, cluster: 'east', parse: parserFor('mesh.test') });
    await this.objects.load();
    const { objects, east } = this;
    const shared = new SharedObjects('east', () => clock.now());
    const share = () => east.export({}, { objects: shared.update(objects.set.sourcesOf('east')) });
    objects.set.subscribe(share);
    share();
    this.#stop = new AbortController();
    this.#running = objects.run(this.#stop.signal);
    this.relay.target = this.east.front.port;
  }

  async startWest(peers: Readonly<Record<string, readonly string[]>> = {}): Promise<void> {
    this.west = await PeerSite.start({ pki, cluster: 'west', clock: this.clocks.west }, peers, this.west?.dir);
  }

  async stopEast(keep = true): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.east.stop(keep);
  }

  async apply(confirmWithinMs: number | undefined, ...texts: readonly string[]): Promise<void> {
    const files = texts.map((text, i) => ({ file: `${i}.yaml`, text }));
    const done = await this.objects.apply({ files, ...(confirmWithinMs === undefined ? {} : { confirmWithinMs }) }, 'somebody');
    assert.ok(done.ok, JSON.stringify(done));
  }

  /** One tentative revision of five minutes that creates, changes and deletes: only going to a revision that has all three can. */
  async try(): Promise<void> {
    await this.apply(undefined, route('created', '2s'), route('changed', '2s'));
    const objects = [{ kind: 'VirtualService', namespace: 'shop', name: 'deleted' }];
    assert.ok((await this.objects.delete({ objects }, 'somebody')).ok);
    const { revision } = this.objects.applied.state.head;
    assert.ok((await this.objects.rollback({ revision: revision - 2 }, 'somebody')).ok);
    await this.holds(before);
    assert.ok((await this.objects.rollback({ revision, confirmWithinMs: 5 * minute }, 'somebody')).ok);
    await this.holds(after);
  }

  rules(): Record<string, string> {
    const all = [...this.west.objects.current().objects.values()].map(({ ref, document }) => {
      const { http } = document['spec'] as { http: { timeout: string }[] };
      return [ref.name, http[0]?.timeout ?? ''] as const;
    });
    return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Time goes on only a little meanwhile, for whoever dials again. */
  async holds(expected: Record<string, string>): Promise<void> {
    await until(`west holds ${JSON.stringify(expected)}`, () => {
      this.#advance(20);
      assert.deepEqual(this.rules(), Object.fromEntries(Object.entries(expected).sort(([a], [b]) => (a < b ? -1 : 1))));
      return true;
    });
  }

  /** Until what west would find after a restart has that many deadlines. */
  async deadlines(count: number): Promise<void> {
    await until(`west has kept ${count} deadlines`, async () => {
      this.#advance(20);
      return (await this.west.store.list('peering/objects-waiting/')).entries.length === count;
    });
  }

  /** All at once for both; whoever wakes has had its turn. */
  async pass(ms: number): Promise<void> {
    this.#advance(ms);
    for (let n = 0; n < 20; n++) await turn();
  }

  #advance(ms: number): void {
    for (const clock of [this.clocks.east, this.clocks.west]) clock.advance(ms);
  }
}

test('the owner dies before the deadline: its peer goes back at it, keeps that over a restart, and agrees with the owner once it is up', async (t) => {
  const pair = await Pair.start(t);
  await pair.try();
  await pair.deadlines(3);
  await pair.stopEast();
  await pair.pass(4 * minute);
  assert.deepEqual(pair.rules(), after, 'until the deadline it holds');
  await pair.pass(minute + graceMs);
  assert.deepEqual(pair.rules(), before);
  await pair.deadlines(0);
  await pair.west.stop(true);
  await pair.startWest();
  assert.deepEqual(pair.rules(), before);
  await pair.startEast();
  await pair.holds(before);
  await pair.apply(undefined, route('changed', '3s'));
  await pair.holds({ ...before, changed: '3s' });
});

test('a peer that is restarted knows the deadline: it goes back at it, or at its start where it was down meanwhile', async (t) => {
  const pair = await Pair.start(t);
  await pair.try();
  await pair.deadlines(3);
  await pair.stopEast();
  await pair.west.stop(true);
  await pair.pass(3 * minute);
  await pair.startWest();
  assert.deepEqual(pair.rules(), after, 'not yet');
  await pair.pass(2 * minute + graceMs);
  assert.deepEqual(pair.rules(), before, 'while it runs');
  await pair.startEast();
  await pair.holds(before);

  await pair.try();
  await pair.deadlines(3);
  await pair.stopEast();
  await pair.west.stop(true);
  await pair.pass(6 * minute);
  await pair.startWest();
  assert.deepEqual(pair.rules(), before, 'at its start');
  await pair.startEast();
  await pair.holds(before);
});

test('confirmed: it stays, over the deadline and a restart; confirmed while the link is cut: back at the deadline, and taken up when it is heard', async (t) => {
  const pair = await Pair.start(t);
  await pair.try();
  await pair.deadlines(3);
  await pair.objects.confirm(undefined);
  await pair.deadlines(0);
  await pair.stopEast();
  await pair.pass(60 * minute);
  assert.deepEqual(pair.rules(), after);
  await pair.west.stop(true);
  await pair.startWest();
  assert.deepEqual(pair.rules(), after);
  await pair.startEast();
  await pair.holds(after);

  await pair.apply(5 * minute, route('created', '4s'));
  await pair.holds({ ...after, created: '4s' });
  await pair.deadlines(1);
  pair.relay.goSilent(true);
  await pair.objects.confirm(undefined);
  await pair.pass(5 * minute + graceMs);
  assert.deepEqual(pair.rules(), after, 'not heard of');
  pair.relay.goSilent(false);
  pair.relay.cut();
  await pair.holds({ ...after, created: '4s' });
  await pair.deadlines(0);
});
