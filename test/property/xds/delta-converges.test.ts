import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DeltaLink, type World } from '../../support/delta-link.ts';

const types = ['first', 'second'] as const;
const names = ['a', 'b', 'c', 'd'] as const;
const refusedByClient = (version: string) => version.startsWith('bad');

type Command =
  | { kind: 'put'; type: string; name: string; version: string }
  | { kind: 'remove'; type: string; name: string }
  | { kind: 'subscribe' | 'unsubscribe'; type: string; names: '*' | readonly string[] }
  | { kind: 'toServer' | 'toClient' | 'reconnect' | 'restart' };

const type = fc.constantFrom(...types);
const name = fc.constantFrom(...names);
const wanted = fc.oneof(fc.constant('*' as const), fc.uniqueArray(name, { minLength: 1, maxLength: 3 }));
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('put' as const), type, name, version: fc.constantFrom('v1', 'v2', 'v3', 'bad1', 'bad2') }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), type, name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('subscribe' as const, 'unsubscribe' as const), type, names: wanted }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom('toServer' as const, 'toClient' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('reconnect' as const, 'restart' as const) }) },
);

/** What the application wants, kept apart from both sides. */
class Wants {
  readonly wildcard = new Set<string>();
  readonly names = new Map<string, Set<string>>(types.map((t) => [t, new Set<string>()]));

  apply(kind: 'subscribe' | 'unsubscribe', typeUrl: string, what: '*' | readonly string[]): void {
    const set = what === '*' ? this.wildcard : (this.names.get(typeUrl) ?? new Set());
    for (const key of what === '*' ? [typeUrl] : what) kind === 'subscribe' ? set.add(key) : set.delete(key);
  }

  covers(typeUrl: string, n: string): boolean {
    return this.wildcard.has(typeUrl) || this.names.get(typeUrl)?.has(n) === true;
  }

  all(): Record<string, '*' | readonly string[]> {
    return Object.fromEntries(types.map((t) => [t, this.wildcard.has(t) ? ('*' as const) : [...(this.names.get(t) ?? [])]]));
  }
}

function run(link: DeltaLink, wants: Wants, c: Command): void {
  if (c.kind === 'put') {
    link.become({ ...link.world, [c.type]: { ...link.world[c.type], [c.name]: c.version } });
  } else if (c.kind === 'remove') {
    const { [c.name]: _gone, ...rest } = link.world[c.type] ?? {};
    link.become({ ...link.world, [c.type]: rest });
  } else if (c.kind === 'subscribe' || c.kind === 'unsubscribe') {
    wants.apply(c.kind, c.type, c.names);
    link.send(c.kind === 'subscribe' ? link.client.subscribe(c.type, c.names) : link.client.unsubscribe(c.type, c.names));
  } else if (c.kind === 'toServer') link.deliverToServer();
  else if (c.kind === 'toClient') link.deliverToClient();
  else if (c.kind === 'reconnect') link.connect();
  else {
    const all = wants.all();
    // A process that comes back asks for the wildcard or for names; its wish for both is one for the wildcard.
    for (const t of types) if (wants.wildcard.has(t)) wants.names.get(t)?.clear();
    link.restartClient(all);
  }
}

function check(link: DeltaLink, wants: Wants): void {
  for (const typeUrl of types) {
    const held = link.held(typeUrl);
    assert.deepEqual(link.acked(typeUrl), held, `${typeUrl}: the server assumes what the client does not hold, or the reverse`);
    const target = link.world[typeUrl] ?? {};
    for (const n of names) {
      const version = wants.covers(typeUrl, n) ? target[n] : undefined;
      if (version === undefined) assert.equal(held[n], undefined, `${typeUrl}/${n} should be gone`);
      else if (refusedByClient(version)) {
        assert.notEqual(held[n], version);
        assert.equal(link.client.rejected(typeUrl).get(n)?.version, version);
        const quarantined = [...link.server.types()].find((t) => t.typeUrl === typeUrl)?.quarantined.get(n);
        assert.equal(quarantined?.version, version, `${typeUrl}/${n} should be in quarantine`);
      } else assert.equal(held[n], version, `${typeUrl}/${n} should have arrived`);
    }
  }
}

const judge = (update: { changed: readonly { name: string; version: string }[] }) =>
  update.changed.filter((r) => refusedByClient(r.version)).map((r) => ({ name: r.name, reason: `no ${r.version}` }));

test('client and server agree after any history of changes, subscriptions, losses and restarts', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60, size: 'max' }), fc.constantFrom(1, 200, 1_000_000), (commands, responseBytes) => {
      const world: World = Object.fromEntries(types.map((t) => [t, {}]));
      const link = new DeltaLink(types, world, judge, responseBytes);
      const wants = new Wants();
      link.connect();
      for (const c of commands) run(link, wants, c);
      link.settle();
      check(link, wants);
      // And a second loss of the stream changes nothing.
      link.connect();
      link.settle();
      check(link, wants);
    }),
    { numRuns: 2_000 },
  );
});

test('a resource on its way is never counted as held', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40, size: 'max' }), (commands) => {
      const link = new DeltaLink(types, Object.fromEntries(types.map((t) => [t, {}])), judge, 500);
      const wants = new Wants();
      link.connect();
      for (const c of commands) {
        run(link, wants, c);
        // Whatever the server takes as held must be held, unless the client has since dropped it and the word is on its way.
        if (link.toServer.length > 0 || link.toClient.length > 0) continue;
        for (const t of types) for (const [n, version] of Object.entries(link.acked(t))) assert.equal(link.held(t)[n], version);
      }
    }),
    { numRuns: 1_000 },
  );
});
