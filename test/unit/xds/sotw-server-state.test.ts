import assert from 'node:assert/strict';
import { test } from 'node:test';
import { discovery, envoyOrder, envoyTypeUrls, type ResourceSet } from '../../../core/xds/index.ts';
import { SotwServerState } from '../../../core/xds/server/index.ts';
import { bytesOf } from '../../support/sotw-client.ts';

const { cluster, loadAssignment } = envoyTypeUrls;
const ask = (fields: Partial<discovery.DiscoveryRequest>) => discovery.DiscoveryRequest.create(fields);

function world(types: Readonly<Record<string, Readonly<Record<string, string>>>>): ResourceSet {
  const entries = Object.entries(types).map(
    ([typeUrl, all]) =>
      [typeUrl, new Map(Object.entries(all).map(([name, version]) => [name, { name, version, value: bytesOf(name, version) }]))] as const,
  );
  return new Map(entries);
}

const sizes = (response: discovery.DiscoveryResponse | undefined) => response?.resources.length;

test('an empty request means everything, until names were said: then it means nothing', () => {
  const state = new SotwServerState(envoyOrder);
  const all = world({ [cluster]: { a: '1', b: '1' } });
  state.request(ask({ typeUrl: cluster }));
  const first = state.next(all);
  assert.equal(sizes(first), 2);
  const nonce = { typeUrl: cluster, responseNonce: first?.nonce ?? '' };
  assert.equal(state.request(ask(nonce)).kind, 'acked');
  state.request(ask({ ...nonce, resourceNames: ['a'] }));
  const second = state.next(all);
  assert.equal(sizes(second), 1, 'by name now');
  state.request(ask({ typeUrl: cluster, responseNonce: second?.nonce ?? '', resourceNames: [] }));
  state.changed(undefined);
  assert.equal(state.next(world({ [cluster]: { a: '2', b: '2' } })), undefined);
});

test('an empty first request for endpoints asks for nothing', () => {
  const state = new SotwServerState(envoyOrder);
  state.request(ask({ typeUrl: loadAssignment }));
  assert.equal(state.next(world({ [loadAssignment]: { a: '1' } })), undefined);
});

test('who comes back with the version of today is sent nothing, whoever sent it', () => {
  const all = world({ [cluster]: { a: '1', b: '1' } });
  const before = new SotwServerState(envoyOrder, undefined, 'x.');
  before.request(ask({ typeUrl: cluster }));
  const { versionInfo = '' } = before.next(all) ?? {};
  const after = new SotwServerState(envoyOrder, undefined, 'y.');
  after.request(ask({ typeUrl: cluster, versionInfo }));
  assert.equal(after.next(world({ [cluster]: { b: '1', a: '1' } })), undefined);
  assert.ok(after.caughtUp(all));
  after.changed([{ typeUrl: cluster, names: ['a'] }]);
  assert.equal(sizes(after.next(world({ [cluster]: { a: '2', b: '1' } }))), 2, 'all of them, as omission is deletion');
});

test('a nonce of another stream, or an old one, settles nothing', () => {
  const state = new SotwServerState(envoyOrder, undefined, 'mine.');
  state.request(ask({ typeUrl: cluster }));
  const sent = state.next(world({ [cluster]: { a: '1' } }));
  for (const responseNonce of ['other.1', '1', '', `${sent?.nonce}x`]) {
    assert.equal(state.request(ask({ typeUrl: cluster, responseNonce })).kind, 'stale-nonce');
  }
  assert.equal(state.request(ask({ typeUrl: cluster, responseNonce: sent?.nonce ?? '' })).kind, 'acked');
});

test('a grpc client that repeats its old error with every change of names is neither refused nor sent in circles', () => {
  const state = new SotwServerState(envoyOrder);
  const all = world({ [loadAssignment]: { a: 'bad', b: '1' } });
  state.request(ask({ typeUrl: loadAssignment, resourceNames: ['a'] }));
  const sent = state.next(all);
  const error = { errorDetail: { code: 14, message: 'xDS response validation errors: [resource index 0: bad]', details: [] } };
  const answer = { typeUrl: loadAssignment, responseNonce: sent?.nonce ?? '', ...error };
  assert.equal(state.request(ask({ ...answer, resourceNames: ['a'] })).kind, 'nacked');
  assert.equal(state.next(all), undefined);
  assert.equal(state.request(ask({ ...answer, resourceNames: ['a', 'b'] })).kind, 'subscribed');
  const more = state.next(all);
  assert.equal(sizes(more), 1, 'b alone');
  assert.equal(
    state.request(ask({ ...answer, responseNonce: more?.nonce ?? '', errorDetail: undefined, resourceNames: ['a', 'b'] })).kind,
    'acked',
  );
  assert.equal(state.next(all), undefined);
});

test('endpoints that are asked for and not there are answered with none, so that nothing waits for them', () => {
  const state = new SotwServerState(envoyOrder);
  state.request(ask({ typeUrl: loadAssignment, resourceNames: ['gone'] }));
  assert.equal(sizes(state.next(world({ [loadAssignment]: {} }))), 1);
  const unknown = new SotwServerState(envoyOrder);
  unknown.request(ask({ typeUrl: loadAssignment, resourceNames: ['gone'] }));
  assert.equal(unknown.next(world({})), undefined, 'unknown is not none');
});
