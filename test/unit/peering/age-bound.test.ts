import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parserFor } from '../../../control/assemble/objects.ts';
import { objectKey, ownedObject } from '../../../control/objects/index.ts';
import { ObjectSet } from '../../../control/objects/object-set.ts';
import { boundedAge } from '../../../control/peering/age-bound.ts';
import { decodePeerResource } from '../../../control/peering/decode-peering.ts';
import type { KeptObjects } from '../../../control/peering/object-records.ts';
import { PeerObjects } from '../../../control/peering/peer-objects.ts';
import { SharedObjects } from '../../../control/peering/shared-objects.ts';
import { silentLog } from '../../../core/log.ts';
import { clusterId } from '../../../core/model/index.ts';
import { peeringTypeUrls as urls } from '../../../core/xds/index.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const minute = 60_000;
const day = 24 * 60 * minute;
const start = 1_900_000_000_000;

function document(name: string, timeout: string) {
  const http = [{ route: [{ destination: { host: 'x.shop.mesh.internal' } }], timeout }];
  const metadata = { namespace: 'shop', name };
  return { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata, spec: { hosts: [`${name}.example.org`], http } };
}

function owned(cluster: string, name: string, createdAt: number, timeout = '1s') {
  const written = document(name, timeout);
  const read = parserFor('mesh.test')({ file: 'f', value: written, lineOf: () => 1 });
  assert.ok(read.ok);
  return ownedObject(written, read.value, { cluster, source: 'api' }, createdAt);
}

const sourceOf = (cluster: string, all: readonly ReturnType<typeof owned>[]) => ({
  owner: { cluster, source: 'api' },
  objects: new Map(all.map((o) => [objectKey(o.ref), o])),
});

/** East, and what it takes from west, which may say of its objects what it likes. */
class Receiver {
  readonly set = new ObjectSet();
  readonly objects: PeerObjects;
  readonly kept = { objects: new Map<string, Uint8Array>(), ages: new Map<string, number>(), known: undefined as number | undefined };
  readonly clock: ManualClock;
  readonly #shared: SharedObjects;
  #names = new Set<string>();

  constructor(kept?: KeptObjects, clock = new ManualClock(start)) {
    this.clock = clock;
    this.#shared = new SharedObjects('west', () => clock.now());
    this.objects = new PeerObjects({
      cluster: clusterId('west'),
      sink: this.set,
      parse: parserFor('mesh.test'),
      namespaces: () => ['*'],
      clock,
      log: silentLog,
      keep: (change) => {
        if (change.kind === 'known') this.kept.known = change.at;
        else if (change.kind === 'age') put(this.kept.ages, change.name, change.at);
        else if (change.kind === 'object') put(this.kept.objects, change.name, change.bytes);
      },
      onChange: () => {},
    });
    if (kept !== undefined) this.objects.restore(kept);
    this.objects.opened(true);
  }

  /** West shares these, stamped as they are. */
  shares(...all: readonly (readonly [name: string, createdAt: number, timeout?: string])[]): void {
    const { resources, state } = this.#shared.update([
      sourceOf(
        'west',
        all.map(([n, at, timeout]) => owned('west', n, at, timeout)),
      ),
    ]);
    for (const name of this.#names) if (!resources.some((r) => r.name === name)) this.objects.remove(urls.sharedObject, name);
    this.#names = new Set(resources.map((r) => r.name));
    for (const { name, value } of resources) {
      const decoded = decodePeerResource(urls.sharedObject, name, value);
      assert.ok(decoded.ok && decoded.value.kind === 'object');
      assert.deepEqual(this.objects.take(name, decoded.value.value, value), []);
    }
    this.objects.words.told({ ...state, refused: [], refusedObjects: 0 });
    this.objects.synced();
  }

  /** The age that counts, of the one in force. */
  ageOf(name: string): string {
    const found = this.set.current().objects.get(`networking.istio.io/VirtualService/shop/${name}`);
    return `${found?.owner.cluster} ${((found?.createdAt ?? 0) - start) / minute}`;
  }

  restarted(): Receiver {
    const { objects, ages, known } = this.kept;
    return new Receiver({ objects, ages, waiting: new Map(), ...(known === undefined ? {} : { knownAt: known }) }, this.clock);
  }
}

function put<T>(map: Map<string, T>, name: string, value: T | undefined): void {
  if (value === undefined) map.delete(name);
  else map.set(name, value);
}

test('what comes now and says that it is old cannot take a name from who has it: it is as old as when it was known not to be there', () => {
  const east = new Receiver();
  east.set.setSource(sourceOf('east', [owned('east', 'pay', start - day)]));
  east.shares(['other', start - 2 * day]);
  assert.equal(east.ageOf('other'), 'west -2880', 'what was there at first is as old as its owner says');
  east.clock.advance(60 * minute);
  east.objects.confirmed();
  east.shares(['other', start - 2 * day], ['pay', 1], ['fresh', 1], ['honest', start + 58 * minute]);
  assert.equal(east.ageOf('pay'), 'east -1440');
  assert.equal(east.ageOf('fresh'), 'west 55');
  assert.equal(east.ageOf('honest'), 'west 58');
  assert.equal(east.set.current().conflicts.length, 1);

  // Neither by changing it, nor by taking it away and bringing it again, nor while this cluster is being started again.
  east.shares(['other', 5, '2s'], ['fresh', 2, '2s']);
  assert.deepEqual([east.ageOf('other'), east.ageOf('fresh')], ['west -2880', 'west 55']);
  east.clock.advance(60 * minute);
  east.objects.confirmed();
  const later = east.restarted();
  assert.equal(later.ageOf('fresh'), 'west 55');
  later.shares(['other', 5, '2s'], ['late', 3]);
  assert.deepEqual([later.ageOf('other'), later.ageOf('late')], ['west -2880', 'west 115']);
  later.shares();
  later.shares(['other', 5], ['late', 3]);
  assert.deepEqual([later.ageOf('other'), later.ageOf('late')], ['west 115', 'west 115']);
  later.objects.purge();
  assert.deepEqual([later.kept.objects.size, later.kept.ages.size, later.kept.known], [0, 0, undefined]);
});

test('a peer that was away is told nothing about: what it made meanwhile is as old as it says', () => {
  const east = new Receiver();
  east.shares();
  east.objects.lost();
  east.clock.advance(600 * minute);
  // Nothing of the peer's is known to be all while it is not heard.
  east.objects.confirmed();
  east.objects.opened(false);
  east.shares(['meanwhile', start + 100 * minute]);
  assert.equal(east.ageOf('meanwhile'), 'west 100');
});

test('clusters that are told the truth, by clocks that are minutes apart, agree on who was first, whenever each was connected', () => {
  const skew = fc.integer({ min: -2 * minute, max: 2 * minute });
  const receiver = fc.record({ skew, lastKnownBefore: fc.integer({ min: 0, max: 100 * minute }) });
  fc.assert(
    fc.property(fc.array(receiver, { minLength: 2, maxLength: 5 }), skew, fc.integer({ min: 0, max: day }), (receivers, ownerSkew, at) => {
      const claimed = start + at + ownerSkew;
      for (const { skew: own, lastKnownBefore } of receivers) {
        // The last time that this one knew all of the owner's was before the object was made.
        assert.equal(boundedAge(claimed, start + at - lastKnownBefore + own, undefined), claimed);
      }
    }),
  );
});
