import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ServiceRecord, serviceKey } from '../../../core/model/index.ts';
import { type RegisteredService, type RegisteredWorkload, translate } from '../../../registries/vm/index.ts';

const orders = serviceKey('shop', 'orders');

function service(more: Partial<RegisteredService> = {}): RegisteredService {
  return { namespace: 'shop', name: 'orders', port: 80, portName: 'http', protocol: 'http', healthy: true, ...more };
}

function workload(instance: string, more: Partial<RegisteredWorkload> = {}): RegisteredWorkload {
  return {
    role: 'workload',
    instance,
    namespace: 'shop',
    serviceAccount: 'orders',
    grant: 'g',
    generation: 1,
    replica: 'r',
    network: 'net-a',
    labels: {},
    locality: '',
    version: '',
    registeredAt: 1,
    draining: false,
    expired: false,
    addresses: ['10.0.0.1'],
    inboundPort: 15_006,
    services: [service()],
    ...more,
  };
}

function made(...workloads: RegisteredWorkload[]): ServiceRecord {
  const record = translate(orders, workloads);
  assert.ok(record);
  return record;
}

test('what nobody registered is no service', () => {
  assert.equal(translate(orders, []), undefined);
  assert.equal(translate(orders, [workload('a', { services: [service({ name: 'other' })] })]), undefined);
});

test('every port leads to the one inbound port of the agent', () => {
  const [endpoint] = made(
    workload('a', { inboundPort: 16_006, services: [service(), service({ port: 443, portName: 'grpc', protocol: 'grpc' })] }),
  ).endpoints;
  assert.deepEqual(endpoint?.ports, { http: 16_006, grpc: 16_006 });
});

test('health: silence and a failing check outweigh draining, silence alone proves nothing, and nothing is healthy before it was checked', () => {
  const health = (more: Partial<RegisteredWorkload>) => made(workload('a', more)).endpoints[0]?.health;
  const { healthy: _unchecked, ...unchecked } = service();
  assert.equal(health({}), 'healthy');
  assert.equal(health({ services: [unchecked] }), 'unknown');
  assert.equal(health({ services: [service({ healthy: false })], draining: true }), 'unhealthy');
  assert.equal(health({ draining: true }), 'draining');
  assert.equal(health({ expired: true, draining: true }), 'unhealthy');
  assert.equal(health({ expired: true }), 'unknown');
  assert.equal(health({ expired: true, services: [service({ healthy: false })] }), 'unhealthy');
});

test('one service of a machine fails alone', () => {
  const both = workload('a', { services: [service({ healthy: false }), service({ name: 'web' })] });
  assert.equal(made(both).endpoints[0]?.health, 'unhealthy');
  assert.equal(translate(serviceKey('shop', 'web'), [both])?.endpoints[0]?.health, 'healthy');
});

test('where machines disagree on a port the first to register wins, whatever the order they are read in', () => {
  const old = workload('old', { registeredAt: 1 });
  const young = workload('young', { registeredAt: 2, services: [service({ port: 8080 })] });
  const clash = workload('clash', { registeredAt: 3, services: [service({ portName: 'web' })] });
  for (const order of [
    [old, young, clash],
    [clash, young, old],
  ]) {
    const record = made(...order);
    assert.deepEqual(record.ports, [{ name: 'http', port: 80, protocol: 'http' }]);
    assert.deepEqual(
      record.endpoints.map((endpoint) => endpoint.instance),
      ['shop~orders~old'],
    );
    assert.equal(record.createdAt, 1);
  }
});

test('instances of different identities never share an id, and a label is the service’s when all carry it', () => {
  const record = made(
    workload('a', { labels: { tier: 'web', rack: '1' } }),
    workload('a', { serviceAccount: 'orders2', labels: { tier: 'web', rack: '2' } }),
  );
  assert.equal(new Set(record.endpoints.map((endpoint) => endpoint.instance)).size, 2);
  assert.deepEqual(record.labels, { tier: 'web' });
});

test('behind a NAT: published wherever it is seen from, at an address that is nobody else’s, with the gateways that it has tunnels to', () => {
  const tunnel = { secretSha256: 'ab'.repeat(32), gateways: ['east/gw1', 'east/gw2'] };
  const behind = { tunnel, addresses: ['192.168.1.7'], seenFrom: '203.0.113.9' };
  const [one, other] = made(workload('a', behind), workload('b', behind)).endpoints;
  assert.deepEqual(one?.tunnel, { secretSha256: tunnel.secretSha256, gateways: ['gw1', 'gw2'] });
  assert.match(one?.address ?? '', /^fd[0-9a-f]{2}:/);
  assert.notEqual(one?.address, other?.address);
});

test('where callers without mesh come is said port by port', () => {
  const expose = { address: '10.0.0.1', port: 80 };
  const [endpoint] = made(
    workload('a', { services: [service({ expose }), service({ port: 443, portName: 'grpc', protocol: 'grpc' })] }),
  ).endpoints;
  assert.deepEqual(endpoint?.plain, { http: expose });
  assert.equal(made(workload('a')).endpoints[0]?.plain, undefined);
});
