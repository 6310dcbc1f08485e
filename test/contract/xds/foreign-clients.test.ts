import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import { controlChannel } from '../../../core/identity/index.ts';
import { ClusterDiscoveryServiceClient } from '../../../core/xds/gen/envoy/service/cluster/v3/cds.ts';
import { AggregatedDiscoveryServiceClient } from '../../../core/xds/gen/envoy/service/discovery/v3/ads.ts';
import { SecretDiscoveryServiceClient } from '../../../core/xds/gen/envoy/service/secret/v3/sds.ts';
import { buildNode, core, discovery, envoyTypeUrls } from '../../../core/xds/index.ts';
import { ForeignPlane } from '../../support/foreign-plane.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { onEnd } from '../../support/on-end.ts';
import { bytesOf } from '../../support/sotw-client.ts';
import { until } from '../../support/until.ts';
import { resource, XdsPlane } from '../../support/xds-plane.ts';

const { cluster, listener, secret } = envoyTypeUrls;
const node = core.Node.create({ id: 'envoy-1' });
const made = (name: string, version: string, bytes = 0) => ({
  name,
  version,
  value: bytes === 0 ? bytesOf(name, version) : Buffer.alloc(bytes, 1),
});

interface Conversation {
  readonly responses: discovery.DiscoveryResponse[];
  /** The code that the stream ended with, and why. */
  readonly ended: Promise<readonly [number, string]>;
  send(fields: Partial<discovery.DiscoveryRequest>): void;
}

function converse(call: ClientDuplexStream<discovery.DiscoveryRequest, discovery.DiscoveryResponse>, t: TestContext): Conversation {
  const responses: discovery.DiscoveryResponse[] = [];
  call.on('data', (response: discovery.DiscoveryResponse) => responses.push(response));
  const ended = new Promise<readonly [number, string]>((resolve) => {
    call.on('error', (error: ServiceError) => resolve([error.code, error.details]));
    call.on('end', () => resolve([0, '']));
  });
  onEnd(t, () => call.cancel());
  return { responses, ended, send: (fields) => call.write(discovery.DiscoveryRequest.create(fields)) };
}

async function start(t: TestContext, ...options: ConstructorParameters<typeof ForeignPlane>): Promise<ForeignPlane> {
  const plane = await new ForeignPlane(...options).start();
  onEnd(t, () => plane.stop());
  plane.view.set({ [cluster]: [made('a', '1')], [listener]: [], [secret]: [made('key', '1')] });
  return plane;
}

function ads(t: TestContext, plane: ForeignPlane): Conversation {
  const client = new AggregatedDiscoveryServiceClient(`127.0.0.1:${plane.port}`, credentials.createInsecure());
  onEnd(t, () => client.close());
  return converse(client.streamAggregatedResources(), t);
}

test('a stream of one type serves that type, named or not, and refuses others; polling is told to stream', async (t) => {
  const plane = await start(t);
  const address = `127.0.0.1:${plane.port}`;
  const client = new ClusterDiscoveryServiceClient(address, credentials.createInsecure());
  onEnd(t, () => client.close());
  const stream = converse(client.streamClusters(), t);
  stream.send({ node });
  assert.equal((await until('clusters', () => stream.responses[0])).typeUrl, cluster);
  stream.send({ typeUrl: listener });
  assert.deepEqual((await stream.ended)[0], 3);
  assert.match((await stream.ended)[1], /serves .*Cluster, not .*Listener/);
  const secrets = new SecretDiscoveryServiceClient(address, credentials.createInsecure());
  onEnd(t, () => secrets.close());
  const delta = secrets.deltaSecrets();
  onEnd(t, () => delta.cancel());
  const got = new Promise<discovery.DeltaDiscoveryResponse>((resolve) => delta.once('data', resolve));
  delta.on('error', () => {});
  delta.write(discovery.DeltaDiscoveryRequest.create({ node, resourceNamesSubscribe: ['key'] }));
  assert.deepEqual(
    (await got).resources.map((r) => r.name),
    ['key'],
  );
  const error = await new Promise<ServiceError | null>((resolve) =>
    client.fetchClusters(discovery.DiscoveryRequest.create({ node }), resolve),
  );
  assert.equal(error?.code, 12);
  assert.match(error?.details ?? '', /use a stream/);
});

test('the node may be said again but not changed, and a stream must begin with it', async (t) => {
  const plane = await start(t);
  const nobody = ads(t, plane);
  nobody.send({ typeUrl: cluster });
  assert.deepEqual(await nobody.ended, [7, 'no node id']);
  const stream = ads(t, plane);
  stream.send({ node, typeUrl: cluster });
  const first = await until('clusters', () => stream.responses[0]);
  stream.send({ node, typeUrl: cluster, responseNonce: first.nonce });
  stream.send({ typeUrl: listener });
  await until('listeners', () => stream.responses[1]);
  stream.send({ node: core.Node.create({ id: 'envoy-2' }), typeUrl: secret, resourceNames: ['key'] });
  assert.deepEqual(await stream.ended, [3, 'another node than in the first request']);
});

test('types that nobody knows get silence and disturb nothing; too many end the stream', async (t) => {
  const plane = await start(t, { types: 4 });
  const stream = ads(t, plane);
  stream.send({ node, typeUrl: 'type.googleapis.com/no.such.Type' });
  stream.send({ typeUrl: cluster });
  assert.equal((await until('clusters', () => stream.responses[0])).typeUrl, cluster);
  for (const typeUrl of ['x', 'y', 'z']) stream.send({ typeUrl });
  assert.deepEqual(await stream.ended, [3, 'more than 4 resource types']);
  assert.equal(stream.responses.length, 1);
});

test('the nonce of another stream is no answer', async (t) => {
  const plane = await start(t);
  const [mine, other] = [ads(t, plane), ads(t, plane)];
  for (const stream of [mine, other]) stream.send({ node, typeUrl: cluster });
  const [a, b] = await until('both', () => mine.responses[0] && other.responses[0] && [mine.responses[0], other.responses[0]]);
  assert.notEqual(a?.nonce, b?.nonce);
  const acked = () => plane.streams.clients().map((client) => client.types[0]?.acked ?? 0);
  other.send({ typeUrl: cluster, responseNonce: a?.nonce ?? '' });
  mine.send({ typeUrl: cluster, responseNonce: a?.nonce ?? '' });
  await until('one of them has answered', () => acked().includes(1));
  assert.deepEqual(acked().sort(), [0, 1]);
});

test('one that never answers and one that never reads are bounded and let go of; others notice nothing', async (t) => {
  const clock = new ManualClock();
  const plane = await start(t, { answerMs: 5_000, heartbeatMs: 1_000 }, clock);
  const [silent, good] = [ads(t, plane), ads(t, plane)];
  for (const stream of [silent, good]) stream.send({ node, typeUrl: cluster });
  const deaf = connectHttp2(`http://127.0.0.1:${plane.port}`);
  onEnd(t, () => deaf.destroy());
  const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';
  const call = deaf.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
  call.on('error', () => {});
  const payload = discovery.DiscoveryRequest.encode(discovery.DiscoveryRequest.create({ node, typeUrl: cluster })).finish();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(payload.length, 1);
  call.write(Buffer.concat([head, payload]));
  await until('all three', () => plane.streams.clients().length === 3);
  for (let i = 1; i <= 30; i += 1) {
    plane.view.set({ [cluster]: [made('a', `v${i}`, 500_000)] });
    const seen = await until(`version ${i}`, () => (good.responses.length >= i + 1 ? good.responses.at(-1) : answerLast(good)));
    good.send({ typeUrl: cluster, responseNonce: seen.nonce });
  }
  assert.equal(silent.responses.length, 1, 'one response waits, whatever changes');
  await until('both are sent away', () => {
    clock.advance(1_000);
    answerLast(good);
    return plane.streams.clients().length === 1;
  });
  assert.equal((await silent.ended)[0], 4);
});

function answerLast(stream: Conversation): undefined {
  const last = stream.responses.at(-1);
  if (last !== undefined) stream.send({ typeUrl: cluster, responseNonce: last.nonce });
}

test('in every variant and service a node that claims another identity, or has none, is refused', async (t) => {
  const pki = new MeshPki();
  const plane = await new XdsPlane(pki).start();
  onEnd(t, () => plane.stop());
  plane.source.set({ [cluster]: [resource('a', '1')] });
  const { credentials: proven, options } = controlChannel(pki.source('east', 'shop', 'orders'), { cluster: 'east', now: Date.now });
  const client = new ClusterDiscoveryServiceClient(`127.0.0.1:${plane.front.port}`, proven, { ...options });
  onEnd(t, () => client.close());
  const claiming = (serviceAccount: string) => {
    const identity = { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount };
    const claimed = buildNode({ kind: 'agent', identity, instance: 'vm-1', network: 'n1', locality: '', labels: {}, version: '1' });
    return { ...claimed, metadata: { ...claimed.metadata, dialect: 'envoy' } };
  };
  const thief = converse(client.streamClusters(), t);
  thief.send({ node: claiming('payments') });
  assert.equal((await thief.ended)[0], 7);
  assert.match((await thief.ended)[1], /claims another identity/);
  const babbler = converse(client.streamClusters(), t);
  const wrong = Array.from({ length: 1024 }, () => ({ namespace: 'É', name: 'É' }));
  babbler.send({ node: { ...claiming('orders'), metadata: { ...claiming('orders').metadata, outbound: wrong } } });
  const [code, details] = await babbler.ended;
  assert.equal(code, 7, 'however much is wrong, it is told');
  assert.match(details, /outbound\.0\.namespace: must be a DNS label/);
  const honest = [converse(client.streamClusters(), t), converse(client.streamClusters(), t)];
  for (const stream of honest) stream.send({ node: claiming('orders') });
  await until('two streams of one Envoy', () => honest.every((stream) => stream.responses.length === 1));
  const [only, ...none] = plane.xds.clients();
  assert.deepEqual([only?.dialect, only?.types.length, none.length], ['envoy', 2, 0], 'shown as one client');
});
