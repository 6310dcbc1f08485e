import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadAgentOptions, parseAgentOptions } from '../../../sidecar-vm/main.ts';
import { suspectOf } from '../../../sidecar-vm/suspicion.ts';

const good = {
  stateDir: '/var/lib/x',
  token: 'isthmus-join-v1.secret',
  instance: 'vm-1',
  address: '10.0.0.7',
  network: 'net-a',
  inbound: { address: '10.0.0.7', port: 15_006 },
  outbound: {},
  dns: { address: '127.0.0.1', port: 15_053 },
  admin: { address: '127.0.0.1', port: 15_021 },
};

test('defaults: tcp health on the app, http, nothing reserved, 30 s to drain', () => {
  const parsed = parseAgentOptions({ ...good, services: [{ namespace: 'shop', name: 'orders', port: 80, appPort: 8080 }] });
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value.services[0], {
    namespace: 'shop',
    name: 'orders',
    port: 80,
    protocol: 'http',
    appAddress: '127.0.0.1',
    appPort: 8080,
    health: { probe: { kind: 'tcp' }, intervalMs: 1_000, timeoutMs: 1_000, healthy: 1, unhealthy: 2 },
  });
  assert.deepEqual([parsed.value.outbound.reservedPorts, parsed.value.drainMs], [[], 30_000]);
});

test('everything that is wrong is said at once, each with its place, and never the token', () => {
  const service = { namespace: 'A', name: 'b_', port: 0, appPort: 70_000, appAddress: 'here' };
  const parsed = parseAgentOptions({
    ...good,
    instance: 'a b',
    address: 'vm.example',
    network: 'N',
    locality: 'EU',
    services: [service],
    outbound: { explicit: { 'a:1': 5, 'b:2': 5 }, reservedPorts: ['x'] },
    dns: { ...good.dns, upstreams: ['10.0.0.1', '10.0.0.1:53', '[::1]:53', '::1', 'dns.example'] },
    typo: true,
  });
  assert.ok(!parsed.ok);
  const wrong = parsed.violations.map((v) => v.path);
  for (const path of ['instance', 'address', 'network', 'locality', 'outbound.explicit', 'outbound.reservedPorts.0', 'dns.upstreams.4', ''])
    assert.ok(wrong.includes(path), path);
  for (const field of ['namespace', 'name', 'port', 'appPort', 'appAddress']) assert.ok(wrong.includes(`services.0.${field}`), field);
  assert.equal(JSON.stringify(parsed.violations).includes(good.token), false);
});

test('an address at which nobody is reached is refused with the other mistakes', () => {
  for (const address of ['0.0.0.0', '255.255.255.255', '224.0.0.1', '239.1.2.3', '::', '0:0::0', 'ff02::1', '::ffff:224.0.0.1']) {
    const parsed = parseAgentOptions({ ...good, address, network: 'N' });
    assert.deepEqual(parsed.ok ? [] : parsed.violations.map(({ path }) => path).sort(), ['address', 'network'], address);
  }
  for (const address of ['10.0.0.7', '192.0.2.1', '2001:db8::1', 'fd00::7']) assert.ok(parseAgentOptions({ ...good, address }).ok, address);
});

test('an address that follows the machine needs a listener that does', () => {
  const wrong = parseAgentOptions({ ...good, address: 'auto' });
  assert.deepEqual(wrong.ok ? [] : wrong.violations.map(({ path }) => path), ['inbound.address']);
  for (const address of ['0.0.0.0', '::'])
    assert.ok(parseAgentOptions({ ...good, address: 'auto', inbound: { address, port: 15_006 } }).ok, address);
});

test('the same service port twice is refused', () => {
  const orders = { namespace: 'shop', name: 'orders', port: 80, appPort: 8080 };
  assert.equal(parseAgentOptions({ ...good, services: [orders, { ...orders, appPort: 8081 }] }).ok, false);
  assert.equal(parseAgentOptions({ ...good, services: [orders, { ...orders, port: 81 }] }).ok, true);
});

test('a state directory without, or with a damaged agent.json says what to do', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-'));
  t.after(() => rm(dir, { recursive: true }));
  for (const content of [undefined, '{', '7', '{}']) {
    if (content !== undefined) await writeFile(join(dir, 'agent.json'), content);
    const loaded = await loadAgentOptions(dir);
    assert.equal(loaded.ok, false);
    assert.match(loaded.ok ? '' : (loaded.violations[0]?.path ?? ''), /agent\.json/);
  }
  await writeFile(join(dir, 'agent.json'), JSON.stringify(good));
  const loaded = await loadAgentOptions(dir);
  assert.ok(loaded.ok);
  assert.equal(loaded.value.stateDir, dir, 'the folder may have moved');
});

test('access log entries that speak ill of an app name its service; all others name none', () => {
  const hosts = ['orders.shop.mesh.internal'];
  const services = [{ namespace: 'shop', service: 'orders', hosts, port: 80, protocol: 'http' as const, appPort: 1 }];
  const entry = (cluster: unknown, flags: unknown) => suspectOf({ upstream_cluster: cluster, response_flags: flags }, services);
  const orders = { namespace: 'shop', name: 'orders' };
  assert.deepEqual(entry('inbound|80||orders.shop.mesh.internal', 'UF'), orders);
  assert.deepEqual(entry('inbound|80||orders.shop.mesh.internal', 'URX,UC'), orders);
  for (const [cluster, flags] of [
    ['inbound|80||orders.shop.mesh.internal', '-'],
    ['inbound|80||orders.shop.mesh.internal', 'DC'],
    ['inbound|81||orders.shop.mesh.internal', 'UF'],
    ['outbound|80||orders.shop.mesh.internal', 'UF'],
    [null, 'UF'],
    ['inbound|80||orders.shop.mesh.internal', undefined],
  ])
    assert.equal(entry(cluster, flags), undefined);
});

test('what is exposed is at the address that callers are told, where nothing else is', () => {
  const of = (expose: object, more: object = {}, options: object = {}) => {
    const parsed = parseAgentOptions({
      ...good,
      ...options,
      services: [
        { namespace: 'shop', name: 'orders', port: 80, appPort: 8080, expose, ...more },
        { namespace: 'shop', name: 'till', port: 81, appPort: 8081, expose: { address: '10.0.0.7', port: 81 } },
      ],
    });
    return parsed.ok ? [] : parsed.violations.map(({ message }) => message);
  };
  const place = { address: '10.0.0.7', port: 80 };
  assert.deepEqual(of(place), []);
  assert.deepEqual(of(place, { appPort: 80 }), [], 'the app is on 127.0.0.1');
  assert.deepEqual(of({ ...place, address: '10.0.0.8' }), [
    "shop/orders must be exposed at 10.0.0.7, the machine's address that callers are told",
  ]);
  for (const appAddress of ['10.0.0.7', '0.0.0.0', '::']) {
    assert.deepEqual(of(place, { appPort: 80, appAddress }), [
      'shop/orders is exposed where its app listens: let the app listen on 127.0.0.1 or another port',
    ]);
  }
  assert.deepEqual(of({ ...place, port: 81 }), ['shop/till is exposed where another service is']);
  assert.equal(of({ ...place, port: 0 }).length, 1);
  assert.deepEqual(of(place, {}, { proxy: 'none' }), [
    'shop/orders cannot be exposed with proxy none: an Envoy of your own listens where its bootstrap says',
    'shop/till cannot be exposed with proxy none: an Envoy of your own listens where its bootstrap says',
  ]);
  assert.deepEqual(of(place, {}, { tunnel: {} }), [
    'shop/orders cannot be exposed: nobody can dial a machine behind a NAT',
    'shop/till cannot be exposed: nobody can dial a machine behind a NAT',
  ]);
});
