import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controlChannel } from '../../../core/identity/index.ts';
import { peering as proto } from '../../../core/xds/index.ts';
import { MeshPki } from '../../support/mesh-pki.ts';
import { PeerSite, type Services } from '../../support/peer-site.ts';
import { TcpRelay } from '../../support/tcp-relay.ts';
import { until } from '../../support/until.ts';

const pki = new MeshPki();
const at = (source: string, instance: string, address: string) => ({ source, instance, address });
const eastern: Services = { 'shop/orders': [at('file/vms', 'a', '10.1.0.1'), at('consul/dc1', 'b', '10.1.0.2')], 'shop/idle': [] };
const western: Services = { 'shop/payments': [at('kubernetes/k', 'p', '10.2.0.1')] };
const seen = (site: PeerSite, peer: string, expected: Record<string, string[]>) =>
  until(`${site.cluster} sees ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(site.sink.seen(peer), expected);
    return true;
  });

test('one direction of dialling carries both directions of data: services, sources, gateways, trust', async () => {
  const east = await PeerSite.start({ pki, cluster: 'east' }, { west: [] });
  const west = await PeerSite.start({ pki, cluster: 'west' }, { east: [east.address] });
  east.export(eastern, {
    gateways: [
      {
        cluster: 'east',
        network: 'east-net',
        instance: 'g1',
        addresses: ['192.0.2.1'],
        port: 15443,
        healthy: true,
        draining: false,
      } as never,
    ],
  });
  west.export(western);
  await seen(west, 'east', { 'shop/orders': ['10.1.0.1', '10.1.0.2'], 'shop/idle': [] });
  await seen(east, 'west', { 'shop/payments': ['10.2.0.1'] });
  assert.deepEqual(west.sink.states('east'), { 'consul/dc1': 'live', 'file/vms': 'live' });
  assert.deepEqual(
    west.sink.gateways.get('east')?.map((g) => [g.cluster, g.network, g.addresses]),
    [['east', 'east-net', ['192.0.2.1']]],
  );
  assert.equal(west.anchors.get('east'), 1);
  assert.deepEqual([east.peering.report()[0]?.dialledBy, west.peering.report()[0]?.dialledBy], ['them', 'us']);
  await until('ages run on both sides', () => [east, west].every((s) => s.peering.report()[0]?.dataAgeMs !== null));

  east.export({ 'shop/orders': [at('file/vms', 'a', '10.1.0.9')] }, { stale: ['file/vms'] });
  await seen(west, 'east', { 'shop/orders': ['10.1.0.9'] });
  await until('the stale source is known as stale, the dropped one is gone', () => {
    assert.deepEqual(west.sink.states('east'), { 'file/vms': 'stale' });
    return true;
  });
  await Promise.all([east.stop(), west.stop()]);
});

test('a partition: what was known stays as stale, and after it everything that happened meanwhile arrives', async () => {
  const east = await PeerSite.start({ pki, cluster: 'east', timing: { heartbeatMs: 50, silenceMs: 150, helloMs: 300 } }, { west: [] });
  const relay = await TcpRelay.start(east.front.port);
  const west = await PeerSite.start(
    { pki, cluster: 'west', timing: { heartbeatMs: 50, silenceMs: 150, helloMs: 300 } },
    { east: [`127.0.0.1:${relay.port}`] },
  );
  east.export(eastern);
  west.export(western);
  await seen(west, 'east', { 'shop/orders': ['10.1.0.1', '10.1.0.2'], 'shop/idle': [] });
  await seen(east, 'west', { 'shop/payments': ['10.2.0.1'] });

  relay.goSilent(true);
  await until('both sides find the dead stream', () =>
    [west.sink.states('east'), east.sink.states('west')].every((s) => Object.values(s).every((x) => x === 'stale')),
  );
  assert.deepEqual(west.sink.seen('east'), { 'shop/orders': ['10.1.0.1', '10.1.0.2'], 'shop/idle': [] }, 'the last good endpoints stay');
  assert.equal(west.peering.report()[0]?.state === 'connected', false);
  assert.match(west.peering.report()[0]?.error ?? '', /\S/);
  east.export({ 'shop/orders': [at('consul/dc1', 'b', '10.1.0.2'), at('consul/dc1', 'c', '10.1.0.3')] });

  relay.goSilent(false);
  relay.cut();
  await seen(west, 'east', { 'shop/orders': ['10.1.0.2', '10.1.0.3'] });
  await until('live again', () => {
    assert.deepEqual(west.sink.states('east'), { 'consul/dc1': 'live' });
    assert.deepEqual(east.sink.states('west'), { 'kubernetes/k': 'live' });
    return true;
  });
  await Promise.all([west.stop(), east.stop()]);
  await relay.close();
});

test('both sides dial: one stream stays, the same on both sides, and none is opened again', async () => {
  const relays = await Promise.all([TcpRelay.start(1), TcpRelay.start(1)]);
  const [toEast, toWest] = relays as [TcpRelay, TcpRelay];
  const east = await PeerSite.start({ pki, cluster: 'east' }, { west: [`127.0.0.1:${toWest.port}`] });
  const west = await PeerSite.start({ pki, cluster: 'west' }, { east: [`127.0.0.1:${toEast.port}`] });
  toEast.target = east.front.port;
  toWest.target = west.front.port;
  east.export(eastern);
  west.export(western);
  await seen(west, 'east', { 'shop/orders': ['10.1.0.1', '10.1.0.2'], 'shop/idle': [] });
  await seen(east, 'west', { 'shop/payments': ['10.2.0.1'] });
  const before = relays.map((r) => r.accepted);
  const sides = () => [east.peering.report()[0]?.dialledBy, west.peering.report()[0]?.dialledBy].join();
  const picture = () => JSON.stringify([sides(), relays.map((r) => r.accepted), east.sink.events.length, west.sink.events.length]);
  let last = '';
  let same = 0;
  // An attempt that was under way may still replace the stream, once; then for many dialling intervals nothing moves.
  await until('nothing moves any more', () => {
    same = picture() === last ? same + 1 : 0;
    last = picture();
    return same >= 25;
  });
  assert.ok(['us,them', 'them,us'].includes(sides()), sides());
  // Whoever starts first dials in vain until the other one is there; that is no stream opened again.
  const since = relays.map((r, i) => r.accepted - (before[i] ?? 0));
  assert.ok(
    since.every((count) => count < 20),
    `dialled ${since} times`,
  );
  await Promise.all([east.stop(), west.stop()]);
  await Promise.all(relays.map((r) => r.close()));
});

test('a restarted control plane: nothing it knew is unsaid before it has said everything again', async () => {
  const east = await PeerSite.start({ pki, cluster: 'east', timing: { lostAfterMs: 60_000 } }, { west: [] });
  const west = await PeerSite.start({ pki, cluster: 'west' }, { east: [east.address] });
  west.export(western);
  await seen(east, 'west', { 'shop/payments': ['10.2.0.1'] });
  await west.stop(true);
  east.sink.events.length = 0;
  const again = await PeerSite.start({ pki, cluster: 'west' }, {}, west.dir);
  await until('connected', () => again.peering.report()[0]?.state === 'connected');
  // Its sources have not synced yet: it says nothing, and nothing of it changes here.
  assert.equal(east.sink.events.length, 0);
  assert.deepEqual(east.sink.seen('west'), { 'shop/payments': ['10.2.0.1'] });
  again.export({ 'shop/payments': [at('kubernetes/k', 'q', '10.2.0.2')] });
  await seen(east, 'west', { 'shop/payments': ['10.2.0.2'] });
  assert.deepEqual(
    east.sink.events.filter((e) => !e.endsWith('snapshot')),
    [],
  );
  await Promise.all([again.stop(), east.stop()]);
});

test('who is not a peer, or is not a control plane, is refused; a removed peer is purged and stays out', async () => {
  const east = await PeerSite.start({ pki, cluster: 'east' }, { west: [] });
  const west = await PeerSite.start({ pki, cluster: 'west' }, { east: [east.address] });
  west.export(western);
  await until('peered', () => east.peering.report()[0]?.state === 'connected');
  east.export(eastern);
  await seen(east, 'west', { 'shop/payments': ['10.2.0.1'] });
  await until('west has it too', () => west.sink.seen('east')['shop/orders']?.length === 2);
  await east.peering.remove('west');
  assert.deepEqual([...east.sink.peers.keys()], []);
  assert.equal(east.anchors.get('west'), -1);
  await until('west is told', () => /not a peer here/.test(west.peering.report()[0]?.error ?? ''));
  assert.deepEqual(
    west.sink.seen('east')['shop/orders'],
    ['10.1.0.1', '10.1.0.2'],
    'the other side keeps what it knows, until it removes the peer',
  );

  const gateway = pki.source('west', 'isthmus-system', 'gateway');
  const channel = controlChannel(gateway, { cluster: 'east', now: Date.now });
  const client = new proto.PeeringClient(east.address, channel.credentials, channel.options);
  const refused = await new Promise<Error>((resolve) => client.stream().on('error', resolve).resume());
  assert.match(refused.message, /only control planes peer/);
  client.close();
  await Promise.all([east.stop(), west.stop()]);
});

test('a peer that lies about its cluster, speaks before its hello, or sends garbage loses its stream', async () => {
  const east = await PeerSite.start({ pki, cluster: 'east' }, { west: [] });
  east.export(eastern);
  const svids = pki.source('west', 'isthmus-system', 'control');
  const channel = controlChannel(svids, { cluster: 'east', now: Date.now });
  const talk = (...messages: Parameters<typeof proto.PeerMessage.create>[0][]) =>
    new Promise<string>((resolve) => {
      const client = new proto.PeeringClient(east.address, channel.credentials, channel.options);
      const stream = client.stream();
      stream.on('error', (error) => {
        client.close();
        resolve(error.message);
      });
      stream.resume();
      for (const message of messages) stream.write(proto.PeerMessage.create(message));
    });
  const hello = (cluster: string) => ({
    body: { $case: 'hello' as const, value: { cluster, version: '', epoch: 'e', addresses: [], process: 'p' } },
  });
  assert.match(await talk(hello('north')), /says it is north, its certificate is of west/);
  assert.match(await talk({ body: { $case: 'heartbeat', value: {} } }), /before its hello/);
  assert.match(await talk(hello('west'), hello('west')), /hello twice/);
  assert.match(await talk(hello('west'), { body: { $case: 'request', value: { typeUrl: '' } } }), /type URL/);
  assert.deepEqual(east.sink.seen('west'), {});
  await east.stop();
});
