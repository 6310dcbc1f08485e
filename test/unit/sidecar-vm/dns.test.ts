import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';
import { test } from 'node:test';
import { encode } from 'dns-packet';
import { type DnsServer, startDnsServer, type Zones } from '../../../sidecar-vm/dns/index.ts';

const zones: Zones = {
  suffixes: ['mesh.internal', 'svc.clusterset.local'],
  hosts: new Map([
    ['orders.shop.mesh.internal', ['127.64.0.1']],
    ['many.shop.mesh.internal', Array.from({ length: 60 }, (_, i) => `127.64.1.${i}`)],
  ]),
};

async function withServer(upstreams: readonly string[], run: (resolver: Resolver, server: DnsServer) => Promise<void>): Promise<void> {
  const server = await startDnsServer({ address: '127.0.0.1', port: 0, upstreams, zones: () => zones });
  try {
    // It learns how fast this server is, and then waits 250 ms at first: with one try a pause of the machine would be an answer.
    const resolver = new Resolver({ timeout: 2_000, tries: 4 });
    resolver.setServers([`127.0.0.1:${server.port}`]);
    await run(resolver, server);
  } finally {
    await server.close();
  }
}

test('answers names of the mesh, whatever their case, and tells NXDOMAIN from NODATA', async () => {
  await withServer([], async (resolver) => {
    assert.deepEqual(await resolver.resolve4('Orders.SHOP.mesh.internal'), ['127.64.0.1']);
    await assert.rejects(resolver.resolve4('nobody.shop.mesh.internal'), { code: 'ENOTFOUND' });
    await assert.rejects(resolver.resolve4('shop.mesh.internal'), { code: 'ENODATA' });
    await assert.rejects(resolver.resolve6('orders.shop.mesh.internal'), { code: 'ENODATA' });
  });
});

test('leaves every other zone alone: refused without an upstream, passed on byte for byte with one', async () => {
  await withServer([], async (resolver) => {
    await assert.rejects(resolver.resolve4('example.test'), { code: 'EREFUSED' });
    await assert.rejects(resolver.resolve4('evilmesh.internal'), { code: 'EREFUSED' });
  });
  const upstream = await startDnsServer({
    address: '127.0.0.1',
    port: 0,
    upstreams: [],
    zones: () => ({ suffixes: ['test'], hosts: new Map([['example.test', ['192.0.2.7']]]) }),
  });
  try {
    await withServer([`127.0.0.1:${upstream.port}`], async (resolver) => {
      assert.deepEqual(await resolver.resolve4('example.test'), ['192.0.2.7']);
    });
  } finally {
    await upstream.close();
  }
});

test('an answer too long for UDP is truncated and comes whole over TCP', async () => {
  await withServer([], async (resolver) => {
    assert.equal((await resolver.resolve4('many.shop.mesh.internal')).length, 60);
  });
});

test('garbage, 12-byte headers, responses and half TCP messages are dropped, and the server goes on', async () => {
  await withServer([], async (resolver, server) => {
    const socket = createSocket('udp4');
    const garbage = [
      Buffer.alloc(0),
      Buffer.alloc(1),
      Buffer.alloc(12, 0xff),
      Buffer.alloc(512, 0xc0),
      encode({ type: 'response', id: 7 }),
    ];
    for (const packet of garbage) await new Promise((resolve) => socket.send(packet, server.port, '127.0.0.1', resolve));
    socket.close();
    const tcp = connect(server.port, '127.0.0.1');
    await new Promise((resolve) => tcp.once('connect', resolve));
    tcp.end(Buffer.from([0xff, 0xff, 1, 2, 3]));
    await new Promise((resolve) => tcp.once('close', resolve).resume());
    assert.deepEqual(await resolver.resolve4('orders.shop.mesh.internal'), ['127.64.0.1']);
  });
});

test('a taken port is reported with what to do', async () => {
  await withServer([], async (_resolver, server) => {
    await assert.rejects(startDnsServer({ address: '127.0.0.1', port: server.port, upstreams: [], zones: () => zones }), {
      code: 'PORT_TAKEN',
    });
  });
});
