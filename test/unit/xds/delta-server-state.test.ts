import assert from 'node:assert/strict';
import { test } from 'node:test';
import { discovery, nackStatus } from '../../../core/xds/index.ts';
import { DeltaServerState, defaultRequestLimits } from '../../../core/xds/server/index.ts';
import { DeltaLink, resourceSet } from '../../support/delta-link.ts';

const request = (body: Parameters<typeof discovery.DeltaDiscoveryRequest.create>[0]) => discovery.DeltaDiscoveryRequest.create(body);
const names = (r: discovery.DeltaDiscoveryResponse | undefined) => r?.resources.map((x) => x.name);

test('a first request that names nothing means everything; an empty later one does not', () => {
  const state = new DeltaServerState(['t']);
  const world = resourceSet({ t: { a: '1', b: '1' } });
  state.request(request({ typeUrl: 't' }));
  const first = state.next(world);
  assert.deepEqual(names(first), ['a', 'b']);
  assert.equal(state.next(world), undefined, 'one unanswered response a type');
  assert.equal(state.request(request({ typeUrl: 't', responseNonce: first?.nonce ?? '' })).kind, 'acked');
  state.request(request({ typeUrl: 't' }));
  assert.equal(state.next(world), undefined);
});

test('unknown is not empty: a type without a map is not answered, an empty map is', () => {
  const state = new DeltaServerState(['t']);
  state.request(request({ typeUrl: 't', resourceNamesSubscribe: ['*'], initialResourceVersions: { a: '1' } }));
  assert.equal(state.next(new Map()), undefined);
  assert.equal(state.caughtUp(new Map()), false);
  assert.deepEqual(state.next(resourceSet({ t: {} }))?.resources, []);
});

test('a name that does not exist is answered as removed, and delivered when it appears', () => {
  const state = new DeltaServerState(['t']);
  state.request(request({ typeUrl: 't', resourceNamesSubscribe: ['x'] }));
  const absent = state.next(resourceSet({ t: {} }));
  assert.deepEqual(absent?.removedResources, ['x']);
  state.request(request({ typeUrl: 't', responseNonce: absent?.nonce ?? '' }));
  state.changed([{ typeUrl: 't', names: ['x', 'unasked'] }]);
  assert.deepEqual(names(state.next(resourceSet({ t: { x: '1', unasked: '1' } }))), ['x']);
});

test('a foreign nonce changes nothing, whatever it acknowledges', () => {
  const state = new DeltaServerState(['t']);
  const world = resourceSet({ t: { a: '1' } });
  state.request(request({ typeUrl: 't', resourceNamesSubscribe: ['a'] }));
  const sent = state.next(world);
  assert.equal(state.request(request({ typeUrl: 't', responseNonce: 'forged' })).kind, 'stale-nonce');
  assert.equal([...state.types()][0]?.acked.size, 0);
  assert.equal(state.request(request({ typeUrl: 't', responseNonce: sent?.nonce ?? '' })).kind, 'acked');
});

test('a foreign client that refuses a response whole gets its resources one by one, and only the bad one stays out', () => {
  const link = new DeltaLink(['t'], { t: { a: '1', bad: '1', c: '1' } }, () => [], 1_000_000);
  link.client.subscribe('t', '*');
  link.connect();
  const server = link.server;
  server.request(link.toServer.shift() ?? request({}));
  const world = resourceSet(link.world);
  const status = { code: 3, message: 'the bad one is bad', details: [] };
  const sizes: number[] = [];
  for (let r = server.next(world); r !== undefined; r = server.next(world)) {
    sizes.push(r.resources.length);
    const refuse = r.resources.some((x) => x.name === 'bad');
    server.request(request({ typeUrl: 't', responseNonce: r.nonce, errorDetail: refuse ? status : undefined }));
  }
  assert.deepEqual(sizes, [3, 1, 1, 1]);
  const [type] = server.types();
  assert.deepEqual([...(type?.acked.keys() ?? [])].sort(), ['a', 'c']);
  assert.deepEqual(type?.quarantined.get('bad'), { version: '1', reason: 'the bad one is bad' });
  server.changed([{ typeUrl: 't', names: ['bad'] }]);
  assert.equal(server.next(world), undefined, 'the refused version is not offered again');
  assert.deepEqual(names(server.next(resourceSet({ t: { a: '1', bad: '1', c: '1' } }))), undefined);
  server.changed([{ typeUrl: 't', names: ['bad'] }]);
  assert.deepEqual(names(server.next(resourceSet({ t: { a: '1', bad: '2', c: '1' } }))), ['bad']);
});

test('a NACK that lists names quarantines those alone', () => {
  const state = new DeltaServerState(['t']);
  const world = resourceSet({ t: { a: '1', b: '1' } });
  state.request(request({ typeUrl: 't', resourceNamesSubscribe: ['*'] }));
  const sent = state.next(world);
  const errorDetail = nackStatus([{ name: 'b', reason: 'port 0' }]);
  assert.deepEqual(state.request(request({ typeUrl: 't', responseNonce: sent?.nonce ?? '', errorDetail })), {
    kind: 'nacked',
    message: 'b: port 0',
  });
  assert.equal(state.next(world), undefined);
  const [type] = state.types();
  assert.deepEqual([[...(type?.acked ?? [])], [...(type?.quarantined ?? [])]], [[['a', '1']], [['b', { version: '1', reason: 'port 0' }]]]);
});

test('what comes back while its removal is on the way is sent again before what refers to it', () => {
  const link = new DeltaLink(['cluster', 'listener'], { cluster: { c1: 'v' }, listener: { l: 'c1' } }, () => [], 1_000_000);
  link.client.subscribe('cluster', '*');
  link.client.subscribe('listener', '*');
  link.connect();
  link.settle();
  link.become({ cluster: { c2: 'v' }, listener: { l: 'c2' } });
  while (!link.toClient.some((r) => r.removedResources.includes('c1'))) {
    link.deliverToClient();
    link.deliverToServer();
  }
  link.become({ cluster: { c1: 'v', c2: 'v' }, listener: { l: 'c1' } });
  while (link.toClient.length + link.toServer.length > 0) {
    link.deliverToClient();
    link.deliverToServer();
    const held = link.held('listener')['l'] ?? '';
    assert.ok(link.held('cluster')[held], `the listener points at ${held}, which is not there`);
  }
  assert.deepEqual(link.held('listener'), { l: 'c1' });
});

test('removals wait until every addition was answered, and go in reverse order', () => {
  const state = new DeltaServerState(['cluster', 'listener']);
  for (const typeUrl of ['listener', 'cluster']) {
    state.request(request({ typeUrl, resourceNamesSubscribe: ['*'], initialResourceVersions: { old: '1' } }));
  }
  const world = resourceSet({ cluster: { new: '1' }, listener: { new: '1' } });
  const [a, b] = [state.next(world), state.next(world)];
  assert.deepEqual([a?.typeUrl, b?.typeUrl], ['cluster', 'listener']);
  assert.equal(state.next(world), undefined);
  for (const r of [a, b]) state.request(request({ typeUrl: r?.typeUrl ?? '', responseNonce: r?.nonce ?? '' }));
  const [c, d] = [state.next(world), state.next(world)];
  assert.deepEqual([c?.typeUrl, c?.removedResources, d], ['listener', ['old'], undefined]);
  state.request(request({ typeUrl: 'listener', responseNonce: c?.nonce ?? '' }));
  assert.deepEqual(state.next(world)?.removedResources, ['old']);
});

test('limits: names, types, lengths and emptiness end the stream with a reason', () => {
  const limits = { ...defaultRequestLimits, subscriptions: 2, types: 1, nameLength: 4 };
  const refused = (...requests: Parameters<typeof request>[0][]) => {
    const state = new DeltaServerState([], limits);
    const outcome = requests.map((r) => state.request(request(r))).at(-1);
    return outcome?.kind === 'refused' ? outcome.reason : outcome?.kind;
  };
  assert.match(refused({ typeUrl: 't', resourceNamesSubscribe: ['a', 'b', 'c'] }) ?? '', /2 subscriptions/);
  assert.match(
    refused({ typeUrl: 't', resourceNamesSubscribe: ['a', 'b'] }, { typeUrl: 't', resourceNamesSubscribe: ['c'] }) ?? '',
    /2 subscriptions/,
  );
  assert.match(refused({ typeUrl: 't' }, { typeUrl: 'u' }) ?? '', /1 resource types/);
  assert.match(refused({ typeUrl: 't', resourceNamesSubscribe: ['longer'] }) ?? '', /longer than 4/);
  assert.match(refused({ typeUrl: 't', initialResourceVersions: { '': '1' } }) ?? '', /empty/);
  assert.match(refused({ typeUrl: '' }) ?? '', /type URL/);
  assert.equal(refused({ typeUrl: 't', resourceNamesSubscribe: ['a', 'b'] }), 'subscribed');
});

test('a client that never answers holds one response a type, whatever changes', () => {
  const state = new DeltaServerState(['t']);
  state.request(request({ typeUrl: 't', resourceNamesSubscribe: ['*'] }));
  let sent = 0;
  for (let i = 0; i < 1000; i += 1) {
    state.changed([{ typeUrl: 't', names: ['a'] }]);
    if (state.next(resourceSet({ t: { a: String(i) } })) !== undefined) sent += 1;
  }
  assert.equal(sent, 1);
});

test('a resource that cannot be encoded is withheld as if it had been refused, and takes nobody along; its next version goes out', () => {
  const state = new DeltaServerState(['t']);
  const world = resourceSet({ t: { a: '1', bad: '1' } });
  state.request(request({ typeUrl: 't' }));
  const first = state.next(world);
  state.request(request({ typeUrl: 't', responseNonce: first?.nonce ?? '' }));
  const bad = {
    name: 'bad',
    version: '2',
    get value(): Uint8Array {
      throw new RangeError('1.5 is no BigInt');
    },
  };
  const broken = new Map([['t', new Map([...(resourceSet({ t: { a: '2' } }).get('t') ?? []), ['bad', bad] as const])]]);
  state.changed(undefined);
  const second = state.next(broken);
  assert.deepEqual(names(second), ['a']);
  assert.deepEqual(second?.removedResources, []);
  const [type] = [...state.types()];
  assert.deepEqual(type?.unsendable.splice(0), [{ name: 'bad', reason: 'cannot be encoded: 1.5 is no BigInt' }]);
  assert.equal(type?.acked.get('bad'), '1', 'it stays on what it has');
  assert.equal(type?.quarantined.get('bad')?.version, '2');
  state.request(request({ typeUrl: 't', responseNonce: second?.nonce ?? '' }));
  assert.equal(state.next(broken), undefined, 'not tried for ever');
  state.changed(undefined);
  assert.deepEqual(names(state.next(resourceSet({ t: { a: '2', bad: '3' } }))), ['bad']);
});
