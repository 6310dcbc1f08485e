import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ChannelCredentials } from '@grpc/grpc-js';

import { type Claims, revokeToken } from '../../../control/ca/index.ts';
import { expireAfterOf, Liveness, Presence } from '../../../control/registration/index.ts';
import {
  controlChannel,
  type InstanceRegistration,
  obtainIdentity,
  parseJoinToken,
  registerInstance,
  type SvidSource,
} from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { clusterId, type ServiceRecord, serviceKey, sourceId } from '../../../core/model/index.ts';
import { certificatesToPem } from '../../../core/pki/index.ts';
import { systemClock } from '../../../core/system-clock.ts';
import {
  Hello,
  type PlainListener,
  type RegisterRequest,
  RegistrationClient,
  type Report,
  SocketReport,
} from '../../../core/xds/gen/isthmus/agent/v1/agent.ts';
import { createVmSource, type RegisteredInstance } from '../../../registries/vm/index.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { startControlPlane, type TestControlPlane, type TestControlPlaneOptions, temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';

const orders: Partial<Claims> = { services: [{ namespace: 'shop', name: 'orders', ports: [80] }] };
const healthy = (is: boolean): Report => ({
  draining: false,
  services: [{ namespace: 'shop', name: 'orders', healthy: is, reason: is ? '' : 'HTTP 500' }],
  sockets: [],
});

async function control(t: TestContext, options: Partial<TestControlPlaneOptions> = {}): Promise<TestControlPlane> {
  const plane = await startControlPlane({ dir: await temporaryDir(t), ...options });
  t.after(() => plane.stop());
  return plane;
}

interface Machine {
  readonly dir: string;
  readonly source: SvidSource;
  start(hello?: Partial<Hello>, report?: Report): Promise<InstanceRegistration>;
  stop(): void;
}

async function machine(t: TestContext, plane: TestControlPlane, token: string, instance = 'vm-1', dir?: string): Promise<Machine> {
  const home = dir ?? (await temporaryDir(t));
  const stop = new AbortController();
  t.after(() => stop.abort());
  const common = { dir: home, clock: systemClock, random: Math.random, log: silentLog, signal: stop.signal };
  const source = await obtainIdentity({ ...common, token, instance });
  const hello = {
    instance,
    network: 'net-a',
    addresses: ['127.0.0.1'],
    role: {
      $case: 'workload' as const,
      value: { inboundPort: 0, services: [{ namespace: 'shop', name: 'orders', port: 80, protocol: 'http', portName: '' }] },
    },
    labels: { tier: 'web' },
    locality: 'eu/a',
    version: 'test',
  };
  return {
    dir: home,
    source,
    start: (more = {}, report = healthy(true)) =>
      registerInstance({ ...common, source, addresses: () => [plane.address], hello: { ...hello, ...more }, report }),
    stop: () => stop.abort(),
  };
}

/** What the VM registry says now, followed like the catalog does. */
function follow(t: TestContext, plane: TestControlPlane): { service(name: string): ServiceRecord | undefined } {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const known = new Map<string, ServiceRecord>();
  const deps = { id: sourceId('vm/agents'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
  void (async () => {
    for await (const event of createVmSource(plane.store, deps).watch(stop.signal)) {
      if (event.kind === 'snapshot') for (const service of event.services) known.set(serviceKey(service.namespace, service.name), service);
      else if (event.kind === 'upsert') known.set(serviceKey(event.service.namespace, event.service.name), event.service);
      else if (event.kind === 'delete') known.delete(event.id);
    }
  })();
  return { service: (name) => known.get(name) };
}

const healthOf = (service: ServiceRecord | undefined) => service?.endpoints[0]?.health;

test('a workload registers, reports its health and leaves; the catalog sees each step', async (t) => {
  const plane = await control(t);
  const vm = await machine(t, plane, await plane.token(orders));
  const catalog = follow(t, plane);
  const registration = await vm.start();
  const service = await until('a healthy endpoint', () =>
    healthOf(catalog.service('shop/orders')) === 'healthy' ? catalog.service('shop/orders') : undefined,
  );
  assert.deepEqual(service.ports, [{ name: 'http', port: 80, protocol: 'http' }]);
  assert.deepEqual(service.endpoints[0], {
    instance: 'shop~orders~vm-1',
    network: 'net-a',
    address: '127.0.0.1',
    ports: { http: 15_006 },
    health: 'healthy',
    weight: 1,
    locality: { region: 'eu', zone: 'a', subzone: '' },
    labels: { tier: 'web' },
    identityNamespace: 'shop',
    serviceAccount: 'orders',
    tlsMode: 'mesh',
    runtime: 'vm',
    attested: true,
  });
  registration.report(healthy(false));
  await until('an unhealthy endpoint', () => healthOf(catalog.service('shop/orders')) === 'unhealthy');
  registration.report({ ...healthy(true), draining: true });
  await until('a draining endpoint', () => healthOf(catalog.service('shop/orders')) === 'draining');
  await registration.leave(5_000);
  await registration.ended;
  assert.equal(registration.status().state, 'left');
  await until('no endpoint', () => catalog.service('shop/orders') === undefined);
});

test('nobody registers what its token does not cover: service, port, address, instance, role', async (t) => {
  const plane = await control(t);
  const vm = await machine(t, plane, await plane.token(orders));
  const service = (name: string, port: number, expose?: PlainListener) => ({
    $case: 'workload' as const,
    value: {
      inboundPort: 0,
      services: [{ namespace: 'shop', name, port, protocol: 'http', portName: '', ...(expose === undefined ? {} : { expose }) }],
    },
  });
  const cases: [Partial<Hello>, RegExp, string][] = [
    [{ role: service('payments', 80) }, /may not register shop\/payments/, 'wrong-service'],
    [{ role: service('orders', 81) }, /may not register shop\/orders port 81/, 'wrong-service'],
    [
      { role: service('orders', 80, { address: '192.0.2.7', port: 80 }) },
      /expose.address: must be one of the instance's addresses, 127\.0\.0\.1/,
      'malformed',
    ],
    [{ role: service('orders', 80, { address: '127.0.0.1', port: 0 }) }, /expose.port: must be 1-65535/, 'malformed'],
    [{ addresses: ['192.0.2.7'] }, /192\.0\.2\.7 is not where this comes from/, 'wrong-address'],
    [{ addresses: ['169.254.169.254'] }, /can never be reached/, 'malformed'],
    [{ instance: 'vm-2' }, /identity is of instance vm-1/, 'wrong-instance'],
    [{ role: { $case: 'gateway', value: { port: 0 } } }, /identity is a workload's/, 'wrong-role'],
  ];
  for (const [hello, reason, counted] of cases) {
    const before = (await plane.refused())[`registration ${counted}`] ?? 0;
    const registration = await vm.start(hello);
    await until(`refusal of ${reason}`, () => registration.status().state === 'refused');
    assert.match(registration.status().lastError ?? '', reason);
    assert.ok(((await plane.refused())[`registration ${counted}`] ?? 0) > before, counted);
    const grant = await plane.ledger.grantOfSerial(vm.source.current().serial);
    assert.match(plane.refusedRegistrations.of(grant?.id ?? '') ?? '', reason);
    await registration.leave(0);
  }
  assert.equal((await plane.instances.list()).length, 0);
  const taken = await vm.start();
  await until('a registration', () => taken.status().state === 'registered');
  const grant = await plane.ledger.grantOfSerial(vm.source.current().serial);
  assert.equal(plane.refusedRegistrations.of(grant?.id ?? ''), undefined, 'what was taken since is refused no more');
  await plane.ledger.revokeGrant(grant?.id ?? '', Date.now());
  taken.report(healthy(false));
  await until('a refusal of what was revoked', async () => ((await plane.refused())['registration revoked'] ?? 0) > 0);
});

test('whose SVID this cluster did not issue, or who shows none, is refused and counted', async (t) => {
  const plane = await control(t);
  const vm = await machine(t, plane, await plane.token(orders));
  const key = `ca/issued/${vm.source.current().serial}`;
  await plane.store.txn({ if: [], then: [{ op: 'delete', key }] });
  const forgotten = await vm.start();
  await until('a refusal', async () => ((await plane.refused())['registration not-issued-here'] ?? 0) > 0);
  await forgotten.leave(0);
  const roots = Buffer.from(certificatesToPem(vm.source.bundle().roots));
  const credentials = ChannelCredentials.createSsl(roots, null, null, { checkServerIdentity: () => undefined });
  const options = { 'grpc.ssl_target_name_override': 'control.isthmus', 'grpc.enable_http_proxy': 0 };
  const client = new RegistrationClient(plane.address, credentials, options);
  t.after(() => client.close());
  const stream = client.register();
  const ended = once(stream, 'error');
  stream.resume();
  stream.write({ body: { $case: 'hello', value: Hello.fromPartial({ instance: 'vm-2' }) } });
  await ended;
  assert.equal((await plane.refused())['registration no-certificate'], 1);
});

test('who leaves is known to have left, until it is back; a start that was replaced says goodbye for itself alone', async (t) => {
  const plane = await control(t);
  const vm = await machine(t, plane, await plane.token(orders));
  const grant = async () => plane.ledger.grantOfSerial(vm.source.current().serial);
  const running = async () => {
    const registration = await vm.start();
    await until('a registration', () => registration.status().state === 'registered');
    return registration;
  };
  const first = await running();
  assert.equal((await grant())?.left, undefined);
  await first.leave(5_000);
  assert.equal((await grant())?.left, true);
  const [held] = await plane.ledger.issued(Date.now());
  assert.equal(held?.unused, true);

  const second = await running();
  assert.equal((await grant())?.left, undefined, 'it is back, with the SVID that it had');
  const { generation } = (await plane.instances.list())[0]?.record ?? assert.fail();
  const third = await running();
  await assert.rejects(second.ended, { code: 'FENCED' });
  assert.equal(await plane.instances.remove('registrations/workloads/shop/orders/vm-1', generation), false);
  assert.equal((await grant())?.left, undefined);
  await third.leave(5_000);
  const { id } = (await grant()) ?? assert.fail();
  await plane.ledger.recordIssued(id, 'ab', Date.now() + 60_000);
  assert.equal((await grant())?.left, undefined, 'whoever is given an SVID is there');
});

test('a token with addresses lets a machine behind NAT say where it is reached', async (t) => {
  const plane = await control(t);
  const vm = await machine(t, plane, await plane.token({ ...orders, addresses: ['192.0.2.0/24'] }));
  const registration = await vm.start({ addresses: ['192.0.2.7'] });
  await until('registration', () => registration.status().state === 'registered');
});

test('a newer start fences the older one, whose late goodbye changes nothing', async (t) => {
  const plane = await control(t);
  const token = await plane.token(orders);
  const first = await machine(t, plane, token);
  const old = await first.start();
  await until('registration', () => old.status().state === 'registered');
  const again = await machine(t, plane, token, 'vm-1', first.dir);
  const fresh = await again.start();
  await assert.rejects(old.ended, (error: { code?: string }) => error.code === 'FENCED');
  await old.leave(1_000);
  await until('registration', () => fresh.status().state === 'registered');
  const { generation } = fresh.status();
  assert.ok(generation > old.status().generation);
  assert.equal(Number(await readFile(join(first.dir, 'generation'), 'utf8')), generation);
  const [stored] = await plane.instances.list();
  assert.equal(stored?.record.generation, generation);
  await plane.instances.remove(stored?.key ?? '', old.status().generation);
  assert.equal((await plane.instances.list()).length, 1);
  await plane.instances.register({ ...(stored?.record as NonNullable<typeof stored>['record']), generation: generation + 1_000_000 });
  const late = await again.start();
  await assert.rejects(late.ended, { code: 'FENCED', message: /started again/ });
  assert.equal((await plane.refused())['registration fenced'], 1);
  await fresh.leave(5_000);
  await assert.rejects(
    plane.instances.register({ ...(stored?.record as NonNullable<typeof stored>['record']), generation: 1 }),
    /started again/,
  );
});

test('a start whose clock was far ahead is refused with what to do, and fences nobody', async (t) => {
  const plane = await control(t);
  const first = await machine(t, plane, await plane.token(orders));
  await writeFile(join(first.dir, 'generation'), '4000000000\n');
  const ahead = await first.start();
  const said = /generation:? is \d+.* ahead: .*set the clock.*remove identity\/generation/;
  await until('the refusal', () => said.test(ahead.status().lastError ?? ''));
  assert.deepEqual([...(await plane.instances.starts())], []);
  await rm(join(first.dir, 'generation'));
  const mended = await first.start();
  await until('registration', () => mended.status().state === 'registered');
});

test('what is known of the starts of an instance goes with a revocation of all its grants, or a week after it left', async (t) => {
  const plane = await control(t);
  const vm = await machine(t, plane, await plane.token(orders));
  const registration = await vm.start();
  await until('registration', () => registration.status().state === 'registered');
  const [stored] = await plane.instances.list();
  assert.ok(stored !== undefined);
  const { key, record } = stored;
  const begun = async () => [...(await plane.instances.starts()).keys()];
  assert.equal(await plane.instances.forgetStartsBefore(record.generation + 1), 0, 'it is registered');
  await registration.leave(5_000);
  assert.equal(await plane.instances.forgetStartsBefore(record.generation), 0, 'an SVID of it may hold yet');
  assert.deepEqual(await begun(), [key]);
  assert.equal(await plane.instances.forgetStartsBefore(record.generation + 1), 1);
  assert.deepEqual(await begun(), []);
  await plane.instances.register({ ...record, generation: record.generation + 500 });
  await assert.rejects(plane.instances.register(record), /started again/);
  await plane.instances.remove(key, record.generation + 500);
  await plane.instances.forgetStarts([key]);
  await plane.instances.register(record);
});

test('a silent agent is unknown after its TTL, at once healthy again when it speaks', async (t) => {
  const plane = await control(t, { agentTtlMs: 600 });
  const token = await plane.token(orders);
  const first = await machine(t, plane, token);
  const catalog = follow(t, plane);
  await first.start();
  await until('a healthy endpoint', () => healthOf(catalog.service('shop/orders')) === 'healthy');
  first.stop();
  await until('expiry', () => healthOf(catalog.service('shop/orders')) === 'unknown');
  const again = await machine(t, plane, token, 'vm-1', first.dir);
  await again.start();
  await until('a healthy endpoint', () => healthOf(catalog.service('shop/orders')) === 'healthy');
});

test('a heartbeat that says nothing new costs the store nothing, until a TTL has passed; what is new is looked at at once', async (t) => {
  const reading = async (agentTtlMs: number) => {
    const plane = await control(t, { agentTtlMs });
    const vm = await machine(t, plane, await plane.token(orders));
    const { credentials, options } = controlChannel(vm.source, { cluster: 'east', now: Date.now });
    const client = new RegistrationClient(plane.address, credentials, options);
    const stream = client.register();
    t.after(() => {
      stream.cancel();
      client.close();
    });
    stream.on('error', () => {});
    let looks = 0;
    const { instances } = plane;
    const stored = instances.stored.bind(instances);
    instances.stored = (key) => {
      looks += 1;
      return stored(key);
    };
    const say = async (body: NonNullable<RegisterRequest['body']>) => {
      const answered = once(stream, 'data');
      stream.write({ body });
      await answered;
      return looks;
    };
    const services = [{ namespace: 'shop', name: 'orders', port: 80, protocol: 'http', portName: '' }];
    const role = { $case: 'workload' as const, value: { inboundPort: 0, services } };
    const hello = {
      instance: 'vm-1',
      generation: 1,
      network: 'net-a',
      addresses: ['127.0.0.1'],
      labels: {},
      locality: '',
      version: 'test',
      role,
    };
    await say({ $case: 'hello', value: hello });
    return (report: Report) => say({ $case: 'report', value: report });
  };
  const report = await reading(60_000);
  assert.equal(await report(healthy(true)), 1);
  for (let beat = 0; beat < 5; beat++) assert.equal(await report(healthy(true)), 1);
  assert.equal(await report(healthy(false)), 2);
  assert.equal(await report(healthy(false)), 2);
  const sockets = [SocketReport.fromPartial({})];
  assert.equal(await report({ ...healthy(false), sockets }), 3, 'what says its age is never the same');
  assert.equal(await report({ ...healthy(false), sockets }), 4);
  const soon = await reading(100);
  const first = await soon(healthy(true));
  await until('another look', async () => (await soon(healthy(true))) > first);
});

test('a restarted control plane serves what was registered at once, and its agents find it again', async (t) => {
  const options = { dir: await temporaryDir(t), port: await deadPort() };
  const plane = await startControlPlane(options);
  const vm = await machine(t, plane, await plane.token(orders));
  const registration = await vm.start();
  const before = follow(t, plane);
  await until('a healthy endpoint', () => healthOf(before.service('shop/orders')) === 'healthy');
  const { generation } = registration.status();
  await plane.stop();
  await until('loss', () => registration.status().state === 'connecting');
  const next = await startControlPlane(options);
  t.after(() => next.stop());
  const [stored] = await next.instances.list();
  assert.equal(stored?.record.expired, false);
  assert.equal(stored?.record.role === 'workload' && stored.record.services[0]?.healthy, true);
  await until('registration', () => registration.status().state === 'registered');
  assert.equal(registration.status().generation, generation, 'the same start');
});

test('revoking a token takes its identity, its registration and its next attempt', async (t) => {
  const plane = await control(t, { agentTtlMs: 600 });
  const text = await plane.token(orders);
  const vm = await machine(t, plane, text);
  const registration = await vm.start();
  await until('registration', () => registration.status().state === 'registered');
  const token = parseJoinToken(text);
  assert.ok(token.ok);
  const grants = await revokeToken(plane.store, plane.ledger, token.value.id, Date.now());
  assert.equal(await plane.instances.removeOfGrants(grants ?? []), 1);
  await until('the loss of its registration', () => registration.status().state !== 'registered');
  await until('denial', () => plane.authority.bundle().deniedSerials.includes(vm.source.current().serial));
  assert.equal((await plane.instances.list()).length, 0);
});

test('gateways are listed with IPs: names are resolved, again and again, and keep what they had when DNS fails', async (t) => {
  let answer: () => Promise<readonly string[]> = async () => ['192.0.2.1'];
  const dir = await temporaryDir(t);
  const plane = await startControlPlane({ dir, resolve: () => answer() });
  const claims: Partial<Claims> = { role: 'gateway', namespace: 'isthmus-system', serviceAccount: 'gateway' };
  const vm = await machine(t, plane, await plane.token(claims), 'gw-1');
  const role = { $case: 'gateway' as const, value: { port: 0, engine: 'native' } };
  const registration = await vm.start(
    { addresses: ['gw.example.com', '198.51.100.9'], role },
    { draining: false, services: [], sockets: [] },
  );
  const listed = await until('addresses', () => plane.gateways.current?.find((gateway) => gateway.addresses.length === 2));
  assert.deepEqual(listed, {
    cluster: 'east',
    network: 'net-a',
    instance: 'gw-1',
    addresses: ['192.0.2.1', '198.51.100.9'],
    port: 15_443,
    healthy: true,
    draining: false,
    identityNamespace: 'isthmus-system',
    serviceAccount: 'gateway',
    engine: 'native',
  });
  answer = async () => ['192.0.2.2'];
  await until('the new address', () => plane.gateways.current?.[0]?.addresses.includes('192.0.2.2'));
  answer = () => Promise.reject(new Error('no DNS'));
  registration.report({ draining: true, services: [], sockets: [] });
  await until('draining', () => plane.gateways.current?.[0]?.draining);
  assert.deepEqual(plane.gateways.current?.[0]?.addresses, ['192.0.2.2', '198.51.100.9']);
  await plane.stop();
  const next = await startControlPlane({ dir, resolve: () => answer() });
  t.after(() => next.stop());
  const again = await until('the list', () => next.gateways.current?.[0]);
  assert.deepEqual(again.addresses, ['192.0.2.2', '198.51.100.9']);
});

test('what registered with another living replica is not expired here; what its death orphaned is, a TTL later', async (t) => {
  const plane = await control(t);
  const clock = new ManualClock();
  const record = { ...workloadRecord, replica: 'other' };
  const { key } = await plane.instances.register(record);
  const lease = await plane.store.grantLease(60_000);
  await plane.store.txn({ if: [], then: [{ op: 'put', key: 'replicas/other', value: Buffer.alloc(0), lease: lease.id }] });
  const presence = new Presence(plane.store, 'this');
  const liveness = new Liveness({ instances: plane.instances, presence, ttlMs: 1_000, expireAfter: () => 6_000, clock, log: silentLog });
  const expired = async () => (await plane.instances.list()).find((each) => each.key === key)?.record.expired;
  await liveness.sweep();
  clock.advance(10_000);
  await liveness.sweep();
  assert.equal(await expired(), false);
  await lease.revoke();
  await liveness.sweep();
  clock.advance(900);
  await liveness.sweep();
  assert.equal(await expired(), false, 'its time starts when it is first seen orphaned');
  clock.advance(200);
  await liveness.sweep();
  assert.equal(await expired(), true);
  clock.advance(5_000);
  await liveness.sweep();
  assert.equal(await expired(), undefined, 'and is forgotten in the end');
});

test('while others wait to be let in, heartbeats are asked for less often, and waited for as much longer', async (t) => {
  const plane = await control(t);
  const clock = new ManualClock();
  const presence = new Presence(plane.store, 'this');
  const { key } = await plane.instances.register({ ...workloadRecord, replica: 'this' });
  let crowd = true;
  const crowded = () => crowd;
  const liveness = new Liveness({ instances: plane.instances, presence, ttlMs: 15_000, crowded, clock, log: silentLog });
  const expiredAfter = async (ms: number) => {
    clock.advance(ms);
    await liveness.sweep();
    return (await plane.instances.list()).find((each) => each.key === key)?.record.expired;
  };
  assert.equal(liveness.heard(key), 15_000);
  crowd = false;
  assert.equal(await expiredAfter(44_000), false, 'it was not asked for more');
  assert.equal(liveness.heard(key), 5_000);
  assert.equal(await expiredAfter(14_000), false);
  assert.equal(await expiredAfter(1_001), true);
});

test('after a restart nobody is expired while others still wait to be let in, for five minutes', async (t) => {
  const plane = await control(t);
  const clock = new ManualClock();
  const { key } = await plane.instances.register({ ...workloadRecord, replica: 'the one before' });
  let crowd = true;
  const presence = new Presence(plane.store, 'this');
  const crowded = () => crowd;
  const begin = () => new Liveness({ instances: plane.instances, presence, ttlMs: 1_000, crowded, clock, log: silentLog });
  const expired = async () => (await plane.instances.list()).find((each) => each.key === key)?.record.expired;
  const pass = async (liveness: Liveness, times: number) => {
    for (let at = 0; at < times; at++) {
      await liveness.sweep();
      clock.advance(900);
    }
  };
  const first = begin();
  await pass(first, 20);
  assert.equal(await expired(), false);
  crowd = false;
  await pass(first, 3);
  assert.equal(await expired(), true, 'a TTL after the crowd has gone');

  await plane.instances.register({ ...workloadRecord, replica: 'the one before', generation: workloadRecord.generation + 1 });
  crowd = true;
  const second = begin();
  await pass(second, 333);
  assert.equal(await expired(), false);
  await pass(second, 4);
  assert.equal(await expired(), true, 'a crowd that never ends keeps nobody for ever');
});

test('an instance of a group that ends without a goodbye is forgotten when its group says, and an agent that comes back is not', async (t) => {
  const plane = await control(t);
  const clock = new ManualClock();
  const groupOf = (name: string) => groups.get(name);
  const groups = new Map([['shop/vms', { labels: {}, template: emptyTemplate, expireAfterMs: 60_000 }]]);
  const presence = new Presence(plane.store, 'this');
  const expireAfter = (record: RegisteredInstance) => expireAfterOf(record, groupOf);
  const liveness = new Liveness({ instances: plane.instances, presence, ttlMs: 15_000, expireAfter, clock, log: silentLog });
  const mine = { ...workloadRecord, replica: 'this' };
  const keys = new Map<string, string>();
  for (const [instance, group] of [
    ['ended', 'shop/vms'],
    ['back', 'shop/vms'],
    ['of-a-group-that-went', 'shop/gone'],
    ['alone', undefined],
  ] as const) {
    const { key } = await plane.instances.register({ ...mine, instance, ...(group === undefined ? {} : { group }) });
    keys.set(instance, key);
    liveness.heard(key);
  }
  const left = async () =>
    (await plane.instances.list()).map(({ record }) => `${record.instance}${record.expired ? ' expired' : ''}`).sort();
  const pass = async (ms: number) => {
    clock.advance(ms);
    await liveness.sweep();
  };
  await pass(16_000);
  assert.deepEqual(await left(), ['alone expired', 'back expired', 'ended expired', 'of-a-group-that-went expired']);
  await pass(43_000);
  liveness.heard(keys.get('back') ?? '');
  await pass(2_000);
  assert.deepEqual(await left(), ['alone expired', 'back expired', 'of-a-group-that-went expired']);
  await pass(59_000);
  await pass(86_400_000 - 122_000);
  assert.deepEqual(await left(), ['alone expired', 'of-a-group-that-went expired']);
  await pass(3_000);
  assert.deepEqual(await left(), []);
});

const emptyTemplate = { ports: {}, labels: {}, network: '', locality: '', weight: 1, serviceAccount: '' };

const workloadRecord = {
  role: 'workload' as const,
  instance: 'vm-9',
  namespace: 'shop',
  serviceAccount: 'orders',
  grant: 'g',
  generation: 1,
  network: 'net-a',
  labels: {},
  locality: '',
  version: '',
  registeredAt: 1,
  draining: false,
  expired: false,
  addresses: ['10.0.0.1'],
  inboundPort: 15_006,
  services: [],
};
