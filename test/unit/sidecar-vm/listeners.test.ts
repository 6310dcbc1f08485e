import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { test } from 'node:test';
import {
  allocateAddresses,
  emptyAddressTable,
  ListenerSet,
  type OutboundService,
  type PlannedListener,
  planListeners,
} from '../../../sidecar-vm/redirect/index.ts';

const orders: OutboundService = {
  hosts: ['orders.shop.mesh.internal'],
  ports: [{ port: 8080, protocol: 'http', clusterName: 'outbound|8080||orders' }],
};
const payments: OutboundService = {
  hosts: ['payments.shop.mesh.internal'],
  ports: [{ port: 9090, protocol: 'tcp', clusterName: 'outbound|9090||payments' }],
};
const { table } = allocateAddresses(emptyAddressTable, [orders.hosts[0], payments.hosts[0]], 0);

test('the app wins: its ports are planned on no loopback address, reported, and reachable by an explicit port', () => {
  const policy = { reserved: new Set([8080]), explicit: new Map([['orders.shop.mesh.internal:8080', 18080]]), loopbackAddresses: true };
  const { listeners, taken } = planListeners([orders, payments], table, policy);
  assert.deepEqual(
    listeners.map((l) => `${l.address}:${l.port}`),
    ['127.0.0.1:18080', `${table.assigned.get(payments.hosts[0])}:9090`],
  );
  assert.deepEqual(
    taken.map((t) => t.port),
    [8080],
  );
  assert.match(taken[0]?.reason ?? '', /--outbound orders\.shop\.mesh\.internal:8080=LOCAL_PORT/);
});

test('a wildcard bind and a loopback bind of one port exclude each other, so a taken port is left and had once free', async () => {
  const listen = (address: string, port: number) =>
    new Promise<Server>((resolve, reject) => {
      const server = createServer().once('error', reject);
      server.listen(port, address, () => resolve(server));
    });
  const app = await listen('0.0.0.0', 0);
  const port = (app.address() as AddressInfo).port;
  const set = new ListenerSet(async (l) => {
    const server = await listen(l.address, l.port);
    return { close: () => new Promise((resolve) => server.close(() => resolve())) };
  });
  const planned: PlannedListener = { address: '127.64.0.9', port, protocol: 'tcp', clusterName: 'c', host: 'orders.shop.mesh.internal' };
  await set.apply([planned]);
  assert.deepEqual([set.listeners.length, set.taken.map((t) => t.port)], [0, [port]]);
  await new Promise((resolve) => app.close(resolve));
  await set.apply([planned]);
  assert.deepEqual([set.listeners.length, set.taken.length], [1, 0]);
  await set.close();
  assert.equal(set.listeners.length, 0);
  await (await listen('0.0.0.0', port)).close();
});

test('explicit ports are on the bridge of containers too, and never on all addresses', () => {
  const explicit = new Map([['orders.shop.mesh.internal:8080', 18080]]);
  const policy = { reserved: new Set<number>(), explicit, loopbackAddresses: false, listenAddresses: ['172.17.0.1', '127.0.0.1'] };
  const { listeners } = planListeners([orders], table, policy);
  assert.deepEqual(
    listeners.map((l) => `${l.address}:${l.port}`),
    ['127.0.0.1:18080', '172.17.0.1:18080'],
  );
});

test('what a packet filter leads to the agent is bound nowhere: no port is taken, while its rules are there', () => {
  const addresses = new Map([[orders.hosts[0], ['10.20.0.15']]]);
  const policy = { reserved: new Set([8080]), explicit: new Map<string, number>(), loopbackAddresses: true };
  const own = table.assigned.get(orders.hosts[0]);
  const planned = (inPlace: boolean) => planListeners([orders], table, { ...policy, capture: { inPlace, addresses } });
  for (const inPlace of [true, false]) {
    assert.deepEqual(
      planned(inPlace).listeners.map((l) => [l.address, l.captured]),
      [
        [own, true],
        ['10.20.0.15', true],
      ],
    );
  }
  assert.deepEqual([planned(true).taken.length, planned(false).taken.map((each) => each.port)], [0, [8080]]);
});
