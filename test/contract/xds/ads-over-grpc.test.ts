import assert from 'node:assert/strict';
import { type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { after, before, test } from 'node:test';
import { mtlsClientOptions } from '../../../core/identity/index.ts';
import { buildNode, type createDeltaClient, discovery } from '../../../core/xds/index.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { TcpRelay } from '../../support/tcp-relay.ts';
import { until } from '../../support/until.ts';
import { meshClient, resource, XdsPlane } from '../../support/xds-plane.ts';

const pki = new MeshPki();
let plane: XdsPlane;
let relay: TcpRelay;
before(async () => {
  plane = await new XdsPlane(pki, { limits: { heartbeatMs: 50 } }).start();
  relay = await TcpRelay.start(plane.front.port);
});
after(async () => {
  await relay.close();
  await plane.stop();
});

const held = (client: ReturnType<typeof createDeltaClient>, typeUrl = 't') =>
  Object.fromEntries([...client.resources(typeUrl)].map(([name, r]) => [name, r.version]));
const heldIs = (client: ReturnType<typeof createDeltaClient>, expected: Record<string, string>) =>
  until(`client holds ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(held(client), expected);
    return true;
  });

test('updates, removals, refusals with their reason, and what the server then says of the client', async () => {
  plane.source.set({ t: [resource('a', '1'), resource('b', '1')] });
  const refused = (name: string, version: string) => (name === 'b' && version === '2' ? [{ name, reason: 'port 0 is no port' }] : []);
  const { client, stop } = meshClient(pki, [`127.0.0.1:${plane.front.port}`], {
    onUpdate: (update) => update.changed.flatMap((r) => refused(r.name, r.version)),
  });
  client.subscribe('t', '*');
  await heldIs(client, { a: '1', b: '1' });
  plane.source.set({ t: [resource('a', '2'), resource('b', '2'), resource('c', '1')] });
  await heldIs(client, { a: '2', b: '1', c: '1' });
  const refusals = await until('the server knows of the refusal', () => plane.xds.clients()[0]?.types.find((t) => t.refused.length > 0));
  assert.deepEqual(refusals.refused, [{ name: 'b', version: '2', reason: 'port 0 is no port' }]);
  assert.match(plane.xds.clients()[0]?.lastNack?.message ?? '', /b: port 0 is no port/);
  assert.equal(plane.xds.clients()[0]?.id, 'spiffe://mesh.test/ns/shop/sa/orders#vm-1');
  plane.source.set({ t: [resource('b', '3')] });
  await heldIs(client, { b: '3' });
  await until('current again', () => plane.xds.clients()[0]?.current === true && client.status().dataAgeMs !== undefined);
  assert.deepEqual(client.status().types, [{ typeUrl: 't', resources: 1, rejected: [] }]);
  await stop();
  await until('the server lets go of it', () => plane.xds.clients().length === 0 && plane.source.listeners === 0);
});

test('who is behind on a service holds something of it, and has not taken all that there is', async () => {
  const [orders, pay] = ['orders.shop.mesh.internal', 'pay.shop.mesh.internal'];
  const rules = (version: string) => ({ t: [resource(`80|${orders}`, version), resource(pay, version)] });
  plane.source.set(rules('1'));
  const refuses = (names: readonly string[], instance: string) =>
    meshClient(pki, [`127.0.0.1:${plane.front.port}`], {
      instance,
      onUpdate: (update) =>
        update.changed.filter((r) => r.version === '2' && names.includes(r.name)).map(({ name }) => ({ name, reason: 'no' })),
    });
  const [one, other, all] = [refuses([`80|${orders}`], 'one'), refuses([pay], 'other'), refuses([], 'all')];
  for (const { client } of [one, other, all]) {
    client.subscribe('t', '*');
    await heldIs(client, { [`80|${orders}`]: '1', [pay]: '1' });
  }
  await until('all have acknowledged', () => plane.xds.clients().every(({ current }) => current));
  assert.deepEqual(plane.xds.behind(orders), []);
  plane.source.set(rules('2'));
  assert.equal(plane.xds.behind(orders).length, 3, 'nobody has it yet');
  await until('all have answered', () => plane.xds.clients().every(({ current }) => current));
  const id = (instance: string) => `spiffe://mesh.test/ns/shop/sa/orders#${instance}`;
  assert.deepEqual(plane.xds.behind(orders), [id('one')]);
  assert.deepEqual(plane.xds.behind(pay), [id('other')]);
  assert.deepEqual(plane.xds.behind('orders'), []);
  await Promise.all([one.stop(), other.stop(), all.stop()]);
});

test('a connection cut in the middle of a response: the client resumes and ends up with everything', async () => {
  const big = Array.from({ length: 40 }, (_, i) => resource(`r${i}`, '1', 100_000));
  plane.source.set({ t: big });
  let updates = 0;
  relay.cutAfter(1_500_000);
  const { client, stop } = meshClient(pki, [`127.0.0.1:${relay.port}`], {
    onUpdate: (update) => {
      updates += update.changed.length;
      return [];
    },
  });
  client.subscribe('t', '*');
  await until('cut at least once', () => client.status().attempts > 1);
  await until('all 40', () => client.resources('t').size === 40);
  assert.equal(updates, 40, 'what was acknowledged before the cut is not sent again');
  relay.cutAfter(Number.POSITIVE_INFINITY);
  await stop();
});

test('a stream that stands but does not move is found by the silence and replaced', async () => {
  plane.source.set({ t: [resource('a', '1')] });
  const clock = new ManualClock();
  const { client, stop } = meshClient(pki, [`127.0.0.1:${relay.port}`], { clock });
  client.subscribe('t', '*');
  await heldIs(client, { a: '1' });
  await until('heartbeat heard', () => client.status().dataAgeMs !== undefined);
  relay.goSilent(true);
  plane.source.set({ t: [resource('a', '2')] });
  clock.advance(149);
  assert.equal(client.status().state, 'connected');
  await until('the dead stream is given up', () => {
    clock.advance(100);
    return client.status().attempts > 1;
  });
  assert.match(client.status().lastError?.message ?? '', /nothing has come|no answer/);
  assert.deepEqual(held(client), { a: '1' }, 'what was held stays');
  assert.ok((client.status().dataAgeMs ?? 0) > 150);
  relay.goSilent(false);
  relay.cut();
  await until('the new state through a new stream', () => {
    clock.advance(20);
    return held(client)['a'] === '2';
  });
  await stop();
});

test('dead addresses are passed over, and the bootstrap address is tried whatever the others are', async () => {
  plane.source.set({ t: [resource('a', '1')] });
  const { client, stop } = meshClient(pki, [`127.0.0.1:${plane.front.port}`], {
    addresses: () => ['127.0.0.1:1', '[::1]:1', 'no-such-host.invalid:1'],
  });
  client.subscribe('t', ['a', 'b']);
  await heldIs(client, { a: '1' });
  await until('told that b does not exist', () => client.isAbsent('t', 'b'));
  assert.equal(client.status().address, `127.0.0.1:${plane.front.port}`);
  await stop();
});

test('restored resources are not sent again, those that are gone are removed', async () => {
  plane.source.set({ t: [resource('a', '1'), resource('b', '2')] });
  const seen: unknown[] = [];
  const { client, stop } = meshClient(pki, [`127.0.0.1:${plane.front.port}`], {
    onUpdate: (u) => {
      seen.push([u.changed.map((r) => r.name), u.removed]);
      return [];
    },
  });
  const value = Buffer.from('x');
  client.restore(['a', 'b', 'c'].map((name) => ({ typeUrl: 't', name, version: '1', value })));
  client.subscribe('t', '*');
  assert.equal(client.snapshot().length, 3);
  await heldIs(client, { a: '1', b: '2' });
  assert.deepEqual(seen, [
    [['b'], []],
    [[], ['c']],
  ]);
  await stop();
});

test('a node that claims another identity is refused, and so is an agent that says it is a gateway', async () => {
  const { client, stop } = meshClient(pki, [`127.0.0.1:${plane.front.port}`], { identity: 'spiffe://mesh.test/ns/shop/sa/payments' });
  client.subscribe('t', '*');
  const refused = await until('refused', () => client.status().lastError);
  assert.equal(refused.code, 'PERMISSION_DENIED');
  assert.match(refused.message, /claims another identity/);
  await stop();
  assert.equal(plane.xds.clients().length, 0);
});

test('the newest stream of a process wins', async () => {
  plane.source.set({ t: [resource('a', '1')] });
  const address = [`127.0.0.1:${plane.front.port}`];
  const first = meshClient(pki, address, { timing: { backoffBaseMs: 60_000, backoffMaxMs: 60_000 } });
  first.client.subscribe('t', '*');
  await heldIs(first.client, { a: '1' });
  const second = meshClient(pki, address);
  second.client.subscribe('t', '*');
  await heldIs(second.client, { a: '1' });
  assert.equal((await until('the older one is told', () => first.client.status().lastError)).code, 'FENCED');
  assert.equal(plane.xds.clients().length, 1);
  await Promise.all([first.stop(), second.stop()]);
});

/** A client without any library in between: raw HTTP/2 with a real SVID. */
function rawClient(port: number) {
  const target = {
    sni: 'control.isthmus',
    uriSans: ['spiffe://mesh.test/ns/isthmus-system/sa/control'],
    clusterSan: 'east.cluster.mesh.test',
  };
  const options = mtlsClientOptions(pki.svid('east', 'shop', 'orders'), pki.bundle, { ...target, alpn: ['h2'] }, Date.now);
  const session = connectHttp2(`https://127.0.0.1:${port}`, options);
  const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
  const open = () => {
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
    stream.on('error', () => {});
    return stream;
  };
  const send = (bytes: Buffer) => {
    const stream = open();
    stream.write(bytes);
    return statusOf(stream);
  };
  return { session, open, send };
}

/** The gRPC status that a stream ends with. */
function statusOf(stream: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    stream.on('response', (headers) => headers['grpc-status'] !== undefined && resolve(String(headers['grpc-status'])));
    stream.on('trailers', (headers) => resolve(String(headers['grpc-status'])));
    stream.resume();
  });
}

const frame = (payload: Uint8Array) => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
};

test('garbage, too much and nothing at all from a client end its stream and nothing else', async () => {
  const clock = new ManualClock();
  const small = await new XdsPlane(pki, { clock, messageBytes: 10_000, limits: { streamsPerIdentity: 2 } }).start();
  const { session, open, send } = rawClient(small.front.port);
  assert.equal(await send(frame(Buffer.from([0xff, 0xff, 0xff, 0xff]))), '13', 'unreadable: INTERNAL');
  assert.equal(await send(frame(Buffer.alloc(20_000))), '8', 'too large: RESOURCE_EXHAUSTED');
  assert.equal(await send(frame(Buffer.alloc(0))), '7', 'no node: PERMISSION_DENIED');
  const silent = [open(), open()].map(statusOf);
  await until('a third stream is one too many', async () => (await send(frame(Buffer.alloc(0)))) === '8');
  const ended = Promise.all(silent);
  let done = false;
  void ended.then(() => {
    done = true;
  });
  await until('who says nothing is sent away', () => {
    clock.advance(5_000);
    return done;
  });
  assert.deepEqual(await ended, ['4', '4']);
  session.destroy();
  await small.stop();
});

test('a client that neither reads nor answers is bounded, and let go of in time', async () => {
  const clock = new ManualClock();
  const slow = await new XdsPlane(pki, { clock, limits: { heartbeatMs: 1_000, answerMs: 5_000 } }).start();
  slow.source.set({ t: [resource('a', '0', 500_000)], u: [resource('b', '0')] });
  const { session, open } = rawClient(slow.front.port);
  const stream = open();
  const identity = { trustDomain: 'mesh.test', namespace: 'shop', serviceAccount: 'orders' };
  const node = buildNode({ kind: 'agent', identity, instance: 'slow', network: 'n1', locality: '', labels: {}, version: '1' });
  const subscribe = (typeUrl: string) => discovery.DeltaDiscoveryRequest.create({ node, typeUrl, resourceNamesSubscribe: ['*'] });
  for (const typeUrl of ['t', 'u']) stream.write(frame(discovery.DeltaDiscoveryRequest.encode(subscribe(typeUrl)).finish()));
  await until('subscribed', () => slow.xds.clients()[0]?.types.length === 2);
  for (let i = 1; i <= 100; i += 1) slow.source.set({ t: [resource('a', String(i), 500_000)], u: [resource('b', String(i))] });
  const { client, stop } = meshClient(pki, [`127.0.0.1:${slow.front.port}`], { instance: 'quick' });
  client.subscribe('t', '*');
  await heldIs(client, { a: '100' });
  const [status] = slow.xds.clients();
  assert.deepEqual(
    status?.types.map((t) => [t.acked, t.waiting]),
    [
      [0, true],
      [0, true],
    ],
  );
  await until('it is let go of', () => {
    clock.advance(1_000);
    return slow.xds.clients().every((c) => c.instance !== 'slow');
  });
  session.destroy();
  await stop();
  await slow.stop();
});
