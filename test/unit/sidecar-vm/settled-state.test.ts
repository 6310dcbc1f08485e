import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterRef, HttpRule, Routing } from '../../../core/traffic/index.ts';
import { nativeTypeUrls } from '../../../core/xds/index.ts';
import { type DataPlaneState, emptyState } from '../../../gateway/index.ts';
import { clustersOf, SettledState } from '../../../sidecar-vm/mesh/settled-state.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const rule = (...clusters: string[]): HttpRule<ClusterRef> => ({
  name: clusters.join(),
  matches: [],
  action: { type: 'route', destinations: clusters.map((cluster) => ({ destination: { cluster }, weight: 1 })), mirrors: [] },
});
const routing = (...clusters: string[]): Routing => ({
  virtualHosts: [{ name: 'all', domains: ['*'], rules: [rule(...clusters)] }],
  l4: [],
});

/** A feed whose state and absences are what the test says. */
function scene(start: Partial<DataPlaneState> = {}) {
  const listeners = { state: new Set<() => void>(), answer: new Set<() => void>() };
  const absent = new Set<string>();
  const add = (to: Set<() => void>) => (listener: () => void) => {
    to.add(listener);
    return () => to.delete(listener);
  };
  const store = { current: { ...emptyState, ...start }, subscribe: add(listeners.state) };
  const clock = new ManualClock();
  const feed = { store, onAnswer: add(listeners.answer), isAbsent: (url: string, name: string) => absent.has(`${url} ${name}`) };
  const settled = new SettledState(feed as unknown as ConstructorParameters<typeof SettledState>[0], clock);
  return {
    settled,
    clock,
    set(change: Partial<DataPlaneState>) {
      store.current = { ...store.current, ...change };
      for (const listener of listeners.state) listener();
    },
    answerAbsent(name: string) {
      for (const url of Object.values(nativeTypeUrls)) absent.add(`${url} ${name}`);
      for (const listener of listeners.answer) listener();
    },
    names: () => settled.current.routings.get('80|a')?.virtualHosts[0]?.rules[0]?.name,
  };
}

const have = (...names: string[]) => ({
  clusters: new Map(names.map((name) => [name, {} as never])),
  assignments: new Map(names.map((name) => [name, {} as never])),
});

test('new rules hold once all that they lead to has come; until then those before', () => {
  const { settled, set, names } = scene({ ...have('a', 'b'), routings: new Map([['80|a', routing('a', 'b')]]) });
  assert.equal(names(), 'a,b');
  let told = 0;
  settled.subscribe(() => {
    told += 1;
  });
  set({ routings: new Map([['80|a', routing('a', 'c')]]) });
  assert.equal(names(), 'a,b');
  set({ clusters: have('a', 'b', 'c').clusters });
  assert.equal(names(), 'a,b');
  set(have('a', 'b', 'c'));
  assert.equal(names(), 'a,c');
  assert.equal(told, 3);
  set({ routings: new Map() });
  assert.equal(names(), undefined);
});

test('what is not for this client is not waited for, nor for ever what never comes', () => {
  const { settled, set, names, answerAbsent, clock } = scene(have('a'));
  settled.follow(new Set(['80|a', '81|a', '82|a']));
  assert.equal(settled.isReady('80|a'), false);
  set({ routings: new Map([['80|a', routing('a', 'hidden')]]) });
  assert.equal(names(), undefined);
  answerAbsent('hidden');
  assert.equal(names(), 'a,hidden');
  assert.equal(settled.isReady('80|a'), true);
  answerAbsent('81|a');
  assert.deepEqual([settled.isReady('81|a'), settled.isReady('82|a')], [true, false]);
  set({ routings: new Map([['80|a', routing('refused')]]) });
  clock.advance(4_999);
  settled.refresh();
  assert.equal(names(), 'a,hidden');
  clock.advance(1);
  settled.refresh();
  assert.deepEqual([names(), settled.isReady('82|a')], ['refused', true]);
});

test('after a restart the kept rules hold at once, whatever of theirs was not for this client', () => {
  const { names } = scene({ ...have('a'), routings: new Map([['80|a', routing('a', 'hidden')]]) });
  assert.equal(names(), 'a,hidden');
});

test('rules lead to what requests and connections go to and what is mirrored, nowhere counts as nothing', () => {
  const [first] = routing('a', 'b').virtualHosts;
  const nowhere = { destination: { cluster: '', missing: 503 as const }, weight: 1 };
  const all: Routing = {
    virtualHosts: [
      {
        name: 'x',
        domains: ['x'],
        rules: [
          ...(first?.rules ?? []),
          { name: 'redirect', matches: [], action: { type: 'redirect', status: 301 } },
          {
            name: 'mirrored',
            matches: [],
            action: { type: 'route', destinations: [nowhere], mirrors: [{ destination: { cluster: 'm' }, percent: 1 }] },
          },
        ],
      },
    ],
    l4: [{ name: 'tcp', matches: [], destinations: [{ destination: { cluster: 't' }, weight: 1 }] }],
  };
  assert.deepEqual([...clustersOf(all)], ['a', 'b', 'm', 't']);
});
