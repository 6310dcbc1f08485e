import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { parserFor } from '../../../control/assemble/objects.ts';
import { type ObjectSource, objectKey, ownedObject } from '../../../control/objects/index.ts';
import { ObjectSet } from '../../../control/objects/object-set.ts';
import { PeerExports } from '../../../control/peering/peer-exports.ts';
import { PeerImports } from '../../../control/peering/peer-imports.ts';
import { PeerObjects } from '../../../control/peering/peer-objects.ts';
import { PeerSession, type PeerStream } from '../../../control/peering/peer-session.ts';
import { SharedObjects } from '../../../control/peering/shared-objects.ts';
import { silentLog } from '../../../core/log.ts';
import { clusterId } from '../../../core/model/index.ts';
import { DeltaClientState, peering as proto } from '../../../core/xds/index.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { exportInputs, RecordingSink, type Services } from '../../support/peer-site.ts';

/** One end of a link in memory; what is written arrives in a later turn, encoded and decoded, unless the link has broken. */
class Pipe extends EventEmitter {
  other: Pipe | undefined;
  broken = false;

  write(message: proto.PeerMessage): boolean {
    const bytes = proto.PeerMessage.encode(message).finish();
    setImmediate(() => {
      if (!this.broken && this.other !== undefined) this.other.emit('data', proto.PeerMessage.decode(bytes));
    });
    return true;
  }
}

class Side {
  readonly exports: PeerExports;
  readonly imports: PeerImports;
  readonly sink = new RecordingSink();
  readonly objects = new ObjectSet();
  /** Of the peer's objects: what a restart would find. */
  readonly kept = new Map<string, Uint8Array>();
  client = new DeltaClientState();
  session: PeerSession | undefined;
  readonly #own: string;
  readonly #peer: string;
  readonly #clock: ManualClock;

  constructor(own: string, peer: string, clock: ManualClock) {
    this.#own = own;
    this.#peer = peer;
    this.#clock = clock;
    this.sink.addPeer(peer);
    this.exports = new PeerExports(clusterId(peer));
    const anchors = { setPeer: () => [] };
    const objects = new PeerObjects({
      cluster: clusterId(peer),
      sink: this.objects,
      parse: parserFor('mesh.test'),
      namespaces: () => ['*'],
      clock,
      log: silentLog,
      keep: (change) => {
        if (change.kind !== 'object') return;
        if (change.bytes === undefined) this.kept.delete(change.name);
        else this.kept.set(change.name, change.bytes);
      },
      onChange: () => {},
    });
    this.imports = new PeerImports({
      cluster: clusterId(peer),
      sink: this.sink,
      anchors,
      clock,
      trustDomain: () => 'mesh.test',
      objects,
      knownSources: () => [...(this.sink.peers.get(peer)?.keys() ?? [])],
    });
  }

  begin(stream: Pipe, streamId: string): void {
    const timing = { heartbeatMs: 1e6, silenceMs: 1e9, lostAfterMs: 0, backoffBaseMs: 1, backoffMaxMs: 1, helloMs: 1e9 };
    const hello = proto.PeerHello.create({ cluster: this.#own, epoch: 'e', process: 'p' });
    this.session = new PeerSession({
      stream: stream as unknown as PeerStream,
      hangUp: () => {},
      dialledBy: 'us',
      cluster: this.#peer,
      hello,
      clock: this.#clock,
      timing,
      onHello: () => {
        this.imports.opened(false);
        return { client: this.client, imports: this.imports, exports: this.exports, epoch: 'e', streamId };
      },
      onEnd: (_session, reason) => this.imports.lost(reason),
    });
  }
}

const endpoint = fc.record({
  source: fc.constantFrom('s/1', 's/2', 's/3'),
  instance: fc.constantFrom('a', 'b', 'c'),
  address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3'),
});
const services: fc.Arbitrary<Services> = fc
  .dictionary(
    fc.constantFrom('ns/one', 'ns/two', 'ns/three'),
    fc.uniqueArray(endpoint, { selector: (e) => `${e.source}${e.instance}`, maxLength: 5 }),
    { maxKeys: 3 },
  )
  .map((d) => ({ ...d }));
/** Name → timeout, of rules that the cluster owns; `undefined` as a whole: not known yet. */
const rules = fc.option(fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1s', '2s', 'nonsense'), { maxKeys: 3 }), {
  nil: undefined,
});
type Step =
  | { export: Services; stale: readonly string[]; rules: Readonly<Record<string, string>> | undefined }
  | { turns: number }
  | 'break';
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ export: services, stale: fc.subarray(['s/1', 's/2']), rules }) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 6 }).map((turns) => ({ turns })) },
  { weight: 1, arbitrary: fc.constant('break' as const) },
);

const expected = (all: Services): Record<string, string[]> => {
  const anything = Object.values(all).some((list) => list.length > 0);
  const entries = Object.entries(all).filter(([, list]) => list.length > 0 || anything);
  return Object.fromEntries(entries.map(([name, list]) => [name, list.map((e) => e.address).sort()]));
};

const shared = new SharedObjects('east', () => 1);
const sourceOf = (of: Readonly<Record<string, string>>): ObjectSource => {
  const owner = { cluster: 'east', source: 'api' };
  const objects = new Map(
    Object.entries(of).map(([name, timeout]) => {
      const document = virtualService(name, timeout);
      const object = { kind: 'VirtualService', namespace: 'shop', name, group: 'networking.istio.io', scope: 'mesh', spec: {} };
      const owned = ownedObject(document, object as never, owner, 1);
      return [objectKey(owned.ref), owned] as const;
    }),
  );
  return { owner, objects };
};

function virtualService(name: string, timeout: string) {
  const http = [{ route: [{ destination: { host: 'x.shop.mesh.internal' } }], timeout }];
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { namespace: 'shop', name },
    spec: { hosts: [name], http },
  };
}

test('after any history of changes, stale sources and broken streams, a peer knows exactly what is exported, and the registry contract held', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const clock = new ManualClock();
      const [east, west] = [new Side('east', 'west', clock), new Side('west', 'east', clock)];
      let pipes: readonly Pipe[] = [];
      let streams = 0;
      const connect = () => {
        for (const pipe of pipes) pipe.broken = true;
        for (const side of [east, west]) side.session?.end('broken');
        const [a, b] = [new Pipe(), new Pipe()];
        a.other = b;
        b.other = a;
        pipes = [a, b];
        streams += 1;
        east.begin(a, `${streams}`);
        west.begin(b, `${streams}`);
      };
      let now: Services = {};
      let known: Readonly<Record<string, string>> = {};
      let stale: readonly string[] = [];
      east.exports.update(exportInputs('east', now), undefined);
      connect();
      for (const s of steps) {
        if (s === 'break') connect();
        else if ('turns' in s) for (let i = 0; i < s.turns; i += 1) await turn();
        else {
          [now, stale] = [s.export, s.stale];
          if (s.rules !== undefined) known = s.rules;
          const objects = s.rules === undefined ? {} : { objects: shared.update([sourceOf(s.rules)]) };
          east.exports.update(exportInputs('east', now, { stale, ...objects }), undefined);
        }
      }
      for (let i = 0; i < 60; i += 1) await turn();
      assert.deepEqual(west.sink.seen('east'), expected(now));
      const used = new Set(Object.values(now).flatMap((list) => list.map((e) => e.source)));
      assert.deepEqual(
        west.sink.states('east'),
        Object.fromEntries([...used].sort().map((u) => [u, stale.includes(u) ? 'stale' : 'live'])),
      );
      const good = Object.keys(known).filter((name) => known[name] !== 'nonsense');
      const names = (keys: Iterable<string>) => [...keys].map((key) => key.split('/').at(-1)).sort();
      const view = west.objects.current();
      assert.deepEqual(names(view.objects.keys()), good.sort());
      for (const { document, owner } of view.objects.values()) {
        const { name } = document['metadata'] as { name: string };
        assert.deepEqual([document, owner], [virtualService(name, known[name] ?? ''), { cluster: 'east', source: 'api' }]);
      }
      assert.deepEqual(
        names(view.refused.map((r) => r.key)),
        Object.keys(known)
          .filter((name) => !good.includes(name))
          .sort(),
      );
      assert.deepEqual(names(west.kept.keys()), Object.keys(known).sort(), 'a restart would find the same');
      assert.equal(west.session?.ended, false, 'no message broke the contract');
      for (const side of [east, west]) side.session?.end('done');
    }),
    { numRuns: 150 },
  );
});
