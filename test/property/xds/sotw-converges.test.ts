import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { envoyTypeUrls } from '../../../core/xds/index.ts';
import type { NackStyle } from '../../support/sotw-client.ts';
import { SotwLink } from '../../support/sotw-link.ts';

const { cluster, loadAssignment, listener, route } = envoyTypeUrls;
const types = [cluster, loadAssignment, listener, route] as const;
const names = ['a', 'b', 'c'] as const;

type Command =
  | { kind: 'put'; type: string; name: string; version: string }
  | { kind: 'remove'; type: string; name: string }
  | { kind: 'want' | 'unwant'; name: string }
  | { kind: 'toServer' | 'toClient' | 'reconnect' | 'restart' };

const type = fc.constantFrom(...types);
const name = fc.constantFrom(...names);
const versions = fc.constantFrom('v1', 'v2', 'v3', 'bad1', 'bad2');
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('put' as const), type, name, version: versions }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), type, name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('want' as const, 'unwant' as const), name }) },
  { weight: 9, arbitrary: fc.record({ kind: fc.constantFrom('toServer' as const, 'toClient' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('reconnect' as const, 'restart' as const) }) },
);

const commands = fc.array(command, { maxLength: 80, size: 'max' });

/** Each version of each resource is one content for ever, and no set comes back: a fresh suffix for every change. */
function run(link: SotwLink, wanted: Set<string>, c: Command, step: number): void {
  if (c.kind === 'put') link.become({ ...link.world, [c.type]: { ...link.world[c.type], [c.name]: `${c.version}.${step}` } });
  else if (c.kind === 'remove') {
    const { [c.name]: _gone, ...rest } = link.world[c.type] ?? {};
    link.become({ ...link.world, [c.type]: rest });
  } else if (c.kind === 'want') {
    wanted.add(c.name);
    link.toServer.push(...link.client.want(route, c.name));
  } else if (c.kind === 'unwant') {
    wanted.delete(c.name);
    link.toServer.push(...link.client.unwant(route, c.name));
  } else if (c.kind === 'toServer') link.deliverToServer();
  else if (c.kind === 'toClient') link.deliverToClient();
  else if (c.kind === 'reconnect') {
    // The known limit: before that, its version is not of what it holds.
    if (link.client.clean()) link.connect();
  } else {
    wanted.clear();
    link.restart();
  }
}

function check(link: SotwLink, wanted: ReadonlySet<string>): void {
  assert.ok(link.caughtUp());
  for (const typeUrl of types) {
    const held = link.held(typeUrl);
    const target = link.world[typeUrl] ?? {};
    for (const n of names) {
      const asked = typeUrl === route ? wanted.has(n) : typeUrl === loadAssignment ? link.held(cluster)[n] !== undefined : true;
      const version = asked ? target[n] : undefined;
      if (version?.startsWith('bad') === true) {
        assert.notEqual(held[n], version);
        assert.equal(link.quarantined(typeUrl)[n], version, `${typeUrl}/${n} should be in quarantine`);
      } else if (version !== undefined) assert.equal(held[n], version, `${typeUrl}/${n} should have arrived`);
      // What has no endpoints or routes any more is not deleted by these, but by who stops asking for it.
      else if (typeUrl === cluster || typeUrl === listener || !asked) assert.equal(held[n], undefined, `${typeUrl}/${n} should be gone`);
    }
  }
  for (const n of link.client.warming) {
    const endpoints = link.world[loadAssignment]?.[n];
    assert.ok(endpoints?.startsWith('bad') === true, `${n} is warming for ever`);
  }
}

/** Nothing that the client runs on vanishes while the world has had it all along, in whatever version. */
class Vanishing {
  readonly #gone = new Set<string>();
  #before = new Set<string>();

  look(link: SotwLink): void {
    const now = new Set<string>();
    for (const typeUrl of [cluster, listener]) {
      for (const n of names) {
        const key = `${typeUrl} ${n}`;
        const there = link.world[typeUrl]?.[n];
        const held = link.held(typeUrl)[n];
        if (there === undefined) this.#gone.add(key);
        else if (there === held) this.#gone.delete(key);
        if (held !== undefined) now.add(key);
        else assert.ok(!this.#before.has(key) || this.#gone.has(key), `${key} was taken away, and it is there`);
      }
    }
    this.#before = now;
  }

  forget(): void {
    this.#before.clear();
  }
}

function history(style: NackStyle, commands: readonly Command[], responseBytes: number): void {
  const link = new SotwLink(Object.fromEntries(types.map((t) => [t, {}])), style, responseBytes);
  const wanted = new Set<string>();
  const vanishing = new Vanishing();
  for (const [step, c] of commands.entries()) {
    run(link, wanted, c, step);
    if (c.kind === 'restart') vanishing.forget();
    vanishing.look(link);
    for (const t of types) assert.ok(link.toClient.filter((r) => r.typeUrl === t).length <= 1, 'one response of a type on the way');
  }
  link.settle();
  vanishing.look(link);
  check(link, wanted);
  // And a second loss of the stream changes nothing.
  link.connect();
  link.settle();
  vanishing.look(link);
  check(link, wanted);
}

/** Everything that is refused is mended. */
function mend(link: SotwLink): void {
  const mended = (resources: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(resources).map(([n, version]) => [n, version.replace('bad', 'good')]));
  link.become(Object.fromEntries(Object.entries(link.world).map(([typeUrl, resources]) => [typeUrl, mended(resources)])));
}

const bytes = fc.constantFrom(1, 200, 1_000_000);

test('client and server agree after any history of changes, refusals, losses and restarts', () => {
  fc.assert(
    fc.property(fc.constantFrom<NackStyle>('envoy', 'grpc'), commands, bytes, (style, list, size) => history(style, list, size)),
    { numRuns: 1_500, includeErrorInReport: true },
  );
});

test('a client that says nothing usable of what it refuses stays on what it has, and gets everything once that is mended', () => {
  fc.assert(
    fc.property(commands, bytes, (list, size) => {
      const link = new SotwLink(Object.fromEntries(types.map((t) => [t, {}])), 'speechless', size);
      const wanted = new Set<string>();
      const vanishing = new Vanishing();
      for (const [step, c] of list.entries()) {
        run(link, wanted, c, step);
        if (c.kind === 'restart') vanishing.forget();
        vanishing.look(link);
      }
      link.settle();
      vanishing.look(link);
      mend(link);
      link.settle();
      vanishing.look(link);
      check(link, wanted);
    }),
    { numRuns: 1_500, includeErrorInReport: true },
  );
});
