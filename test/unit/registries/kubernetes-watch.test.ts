import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { silentLog } from '../../../core/log.ts';
import { clusterId, sourceId } from '../../../core/model/index.ts';
import type { RegistryRules } from '../../../core/registry/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import { createKubernetesSource } from '../../../registries/kubernetes/index.ts';
import { Follower } from '../../contract/registries/follower.ts';
import { FakeKubernetes } from '../../fakes/kubernetes-api.ts';
import { failure } from '../../fakes/kubernetes-calls.ts';
import { node, pod, service, slice } from '../../fakes/kubernetes-objects.ts';
import { until } from '../../support/until.ts';
import { rulesWith } from '../registry/records.ts';

let fake = await FakeKubernetes.start();
let followers: Follower[] = [];

beforeEach(async () => {
  await stop();
  fake = await FakeKubernetes.start();
});
after(stop);

async function stop(): Promise<void> {
  await Promise.all(followers.map((f) => f.stop()));
  followers = [];
  await fake.stop();
}

function follow(rules: Partial<RegistryRules> = {}, limits: object = {}): Follower {
  const deps = { id: sourceId('kubernetes/main'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
  const connection = { type: 'kubernetes', kubeconfig: fake.kubeconfig, namespaces: [] } as const;
  const spec = { type: 'kubernetes', rules: rulesWith(rules), publish: false, connection } as const;
  const follower = new Follower(createKubernetesSource(spec, deps, { answerTimeoutMs: 1_000, ...limits }));
  followers.push(follower);
  return follower;
}

const lists = (collection: string) => fake.requests.filter((r) => r.collection === collection && !r.watch && r.query.get('limit') !== '1');

test('lists come in pages, and a page that expired is asked for again from the start', async () => {
  for (let i = 0; i < 7; i += 1) fake.storage.put('services', service(`web-${i}`));
  let expired = 0;
  fake.fault = (request, response) => {
    if (request.query.get('continue') === null || expired > 0) return false;
    expired += 1;
    response.writeHead(410).end(JSON.stringify(failure(410, 'Expired', 'too old').body));
    return true;
  };
  const follower = follow({}, { pageSize: 3 });
  await follower.untilKind('snapshot');
  assert.equal(follower.state.size, 7);
  assert.equal(expired, 1);
  assert.ok(lists('services').length >= 4);
});

test('a history that is gone (410) is read anew: what was deleted meanwhile goes, and nothing was stale', async () => {
  fake.storage.put('services', service('kept'));
  fake.storage.put('services', service('gone'));
  const follower = follow();
  await until('the watches are open', () => fake.watching === 4);
  fake.fault = (request) => {
    if (request.watch && fake.storage.get('services', 'default', 'gone') !== undefined) {
      fake.storage.delete('services', 'default', 'gone');
      fake.compact();
    }
    return false;
  };
  fake.endWatches();
  await until('it is gone', () => follower.state.has('default/kept') && !follower.state.has('default/gone'));
  assert.ok(!follower.kinds().includes('stale'));
});

test('bookmarks carry a watch over a compaction: no list is read again', async () => {
  fake.storage.put('services', service('web'));
  const follower = follow();
  await until('the watches are open', () => fake.watching === 4);
  for (let i = 0; i < 5; i += 1) fake.storage.put('configmaps', { metadata: { name: `other-${i}`, namespace: 'default' } });
  fake.bookmark();
  fake.compact();
  const before = lists('services').length;
  fake.endWatches();
  await until('the watches are open again', () => fake.watching === 4);
  fake.storage.put('services', service('later'));
  await until('changes arrive', () => follower.state.has('default/later'));
  assert.equal(lists('services').length, before);
  assert.deepEqual(new Set(follower.kinds().slice(1)), new Set(['upsert']));
});

test('in mesh mode an endpoint waits for its Pod; Pods and Nodes change what they say of it', async () => {
  fake.storage.put('services', service('web'));
  fake.storage.put('endpointslices', slice('web', [{ address: '10.1.0.1', pod: 'web-1', node: 'n1' }]));
  const follower = follow({ tlsMode: 'mesh' });
  await follower.untilKind('snapshot');
  const endpoint = () => follower.state.get('default/web')?.endpoints[0];
  assert.equal(endpoint(), undefined);
  fake.storage.put('pods', pod('web-1', { labels: { v: '1' }, serviceAccount: 'web' }));
  await until('the Pod is known', () => endpoint()?.serviceAccount === 'web' && endpoint()?.labels['v'] === '1');
  fake.storage.put('nodes', node('n1', 'eu', 'eu-1'));
  await until('the Node is known', () => endpoint()?.locality.zone === 'eu-1');
  const events = follower.events.length;
  const status = { ...pod('web-1', { labels: { v: '1' }, serviceAccount: 'web' }), status: { phase: 'Running' } };
  fake.storage.put('pods', status);
  fake.storage.put('pods', pod('web-1', { labels: { v: '2' }, serviceAccount: 'web' }));
  await until('the label changed', () => endpoint()?.labels['v'] === '2');
  assert.equal(follower.events.length, events + 1, 'a status report alone is no event');
});

test('a kubeconfig that is replaced is read again when the old token is refused', async () => {
  fake.storage.put('services', service('web'));
  const follower = follow();
  await until('the watches are open', () => fake.watching === 4);
  fake.token = 'rotated';
  fake.endWatches();
  const stale = await follower.untilKind('stale');
  const event = follower.events[stale];
  assert.ok(event?.kind === 'stale' && event.error.code === 'REGISTRY_REFUSED' && !event.error.message.includes('fake-token'));
  await fake.writeKubeconfig('rotated');
  await follower.untilKind('snapshot', stale);
  assert.ok(follower.state.has('default/web'));
});

test('without rights to Nodes everything else is read', async () => {
  fake.storage.put('services', service('web'));
  fake.storage.put('endpointslices', slice('web', [{ address: '10.1.0.1', node: 'n1', zone: 'z1' }]));
  fake.fault = (request, response) => {
    if (request.collection !== 'nodes') return false;
    response.writeHead(403).end(JSON.stringify(failure(403, 'Forbidden', 'nodes is forbidden').body));
    return true;
  };
  const follower = follow();
  await follower.untilKind('snapshot');
  assert.equal(follower.state.get('default/web')?.endpoints[0]?.locality.zone, 'z1');
  assert.ok(!follower.kinds().includes('stale'));
});
