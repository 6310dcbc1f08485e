import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';
import { lookAt, ReachWatch } from '../../../control/registration/index.ts';
import { mtlsServerOptions, obtainIdentity, registerInstance, type SvidSource } from '../../../core/identity/index.ts';
import { silentLog } from '../../../core/log.ts';
import { systemClock } from '../../../core/system-clock.ts';
import type { RegisteredWorkload } from '../../../registries/vm/index.ts';
import { decodeInstance, withheldFor, workloadsPrefix } from '../../../registries/vm/index.ts';
import { startControlPlane, type TestControlPlane, temporaryDir } from '../../support/control-plane.ts';
import { deadPort } from '../../support/mesh-sockets.ts';
import { until } from '../../support/until.ts';

const services = [{ namespace: 'shop', name: 'orders', ports: [80] }];
const report = { draining: false, services: [{ namespace: 'shop', name: 'orders', healthy: true, reason: '' }], sockets: [] };

interface Site {
  readonly plane: TestControlPlane;
  readonly watch: ReachWatch;
  /** What was dialled, and gateways of other networks. */
  readonly dialled: string[];
  gateways: { address: string; port: number }[];
}

async function site(t: TestContext): Promise<Site> {
  const dialled: string[] = [];
  const stop = new AbortController();
  const made: { watch?: ReachWatch } = {};
  const state: { gateways: Site['gateways'] } = { gateways: [] };
  const plane = await startControlPlane({
    dir: await temporaryDir(t),
    reach: (parts) => {
      const around = {
        cluster: 'east',
        network: 'dc',
        hostSuffix: 'mesh.internal',
        svid: () => parts.source.current(),
        bundle: () => parts.source.bundle(),
        gatewaysOf: () => state.gateways,
        grantOf: async (serial: string) => (await parts.ledger.grantOfSerial(serial))?.id,
        now: () => systemClock.now(),
        timeoutMs: 2_000,
      };
      const look = (workload: RegisteredWorkload, signal: AbortSignal) => {
        dialled.push(`${workload.addresses[0]}:${workload.inboundPort}`);
        return lookAt(workload, around, signal);
      };
      const pace = { everyMs: 100, againMs: 30, placeMs: 10 };
      made.watch = new ReachWatch({ instances: parts.instances, look, clock: systemClock, random: () => 0, log: silentLog, pace });
      return made.watch;
    },
  });
  const { watch } = made;
  assert.ok(watch);
  const running = watch.run(stop.signal);
  t.after(async () => {
    stop.abort();
    await running;
    await plane.stop();
  });
  return Object.assign(state, { plane, watch, dialled });
}

async function machine(t: TestContext, plane: TestControlPlane, instance: string, claims: object = {}) {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const token = await plane.token({ services, ...claims });
  const common = { dir: await temporaryDir(t), clock: systemClock, random: Math.random, log: silentLog, signal: stop.signal };
  const source = await obtainIdentity({ ...common, token, instance });
  const hello = (address: string, inboundPort: number, network = 'dc') => ({
    instance,
    network,
    addresses: [address],
    role: {
      $case: 'workload' as const,
      value: { inboundPort, services: [{ namespace: 'shop', name: 'orders', port: 80, protocol: 'http', portName: 'http' }] },
    },
    labels: {},
    locality: '',
    version: 'test',
  });
  const register = (...at: Parameters<typeof hello>) =>
    registerInstance({ ...common, source, addresses: () => [plane.address], report, hello: hello(...at) });
  return { source, hello, register };
}

/** The mTLS end of an instance, on any loopback address. */
async function inbound(t: TestContext, source: SvidSource, host = '127.0.0.1', port = 0): Promise<number> {
  const server = createServer(mtlsServerOptions(source.current(), source.bundle()));
  const open = new Set<TLSSocket>();
  server.on('secureConnection', (socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => open.delete(socket));
  });
  server.on('tlsClientError', () => {});
  server.listen(port, host);
  await once(server, 'listening');
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function stored({ plane }: Site, instance: string): Promise<RegisteredWorkload | undefined> {
  const found = (await plane.instances.list()).find(({ record }) => record.instance === instance)?.record;
  return found?.role === 'workload' ? found : undefined;
}

const proven = (s: Site, instance: string, state = 'proven') =>
  until(`${instance} to be ${state}`, async () => {
    const record = await stored(s, instance);
    return record?.reach?.state === state ? record : undefined;
  });

test('the identity that registered is proven where it registered, and the agent is told', async (t) => {
  const s = await site(t);
  const vm = await machine(t, s.plane, 'vm-1');
  const registration = await vm.register('127.0.0.1', await inbound(t, vm.source));
  const record = await proven(s, 'vm-1');
  assert.equal(record.seenFrom, '127.0.0.1');
  assert.equal(withheldFor(record), undefined);
  await until('the agent to hear of it', () => registration.reach()?.state === 'proven');
});

test('an address that is claimed takes nothing until its owner is found there; who is not found stays out', async (t) => {
  const s = await site(t);
  const vm = await machine(t, s.plane, 'vm-1', { addresses: ['127.0.0.0/24'] });
  const port = await deadPort();
  await vm.register('127.0.0.77', port);
  const refused = await proven(s, 'vm-1', 'refused');
  assert.match(withheldFor(refused) ?? '', /not proven/);
  await inbound(t, vm.source, '127.0.0.77', port);
  assert.equal(withheldFor(await proven(s, 'vm-1')), undefined);
  assert.deepEqual([...new Set(s.dialled)], [`127.0.0.77:${port}`], 'nothing else is ever dialled');
});

test('another identity at the address, and another instance of the same one, are not the instance', async (t) => {
  const s = await site(t);
  const vm = await machine(t, s.plane, 'vm-1', { addresses: ['127.0.0.0/24'] });
  const stranger = await machine(t, s.plane, 'vm-2', { serviceAccount: 'billing' });
  const sibling = await machine(t, s.plane, 'vm-3');
  await vm.register('127.0.0.78', await inbound(t, stranger.source, '127.0.0.78'));
  const other = await proven(s, 'vm-1', 'other');
  assert.match(other.reach?.reason ?? '', /identity was refused/);
  assert.ok(withheldFor(other));
  const twin = await machine(t, s.plane, 'vm-4', { addresses: ['127.0.0.0/24'] });
  await twin.register('127.0.0.79', await inbound(t, sibling.source, '127.0.0.79'));
  assert.match((await proven(s, 'vm-4', 'other')).reach?.reason ?? '', /another instance of the same identity/);
});

test('what answers no more stays selectable, and its verdict turns; a restart of the agent keeps what is known of its place', async (t) => {
  const s = await site(t);
  const vm = await machine(t, s.plane, 'vm-1', { addresses: ['127.0.0.0/24'] });
  const server = createServer(mtlsServerOptions(vm.source.current(), vm.source.bundle()));
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.80');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await vm.register('127.0.0.80', port);
  await proven(s, 'vm-1');
  server.close();
  const refused = await proven(s, 'vm-1', 'refused');
  assert.equal(refused.reach?.trusted, true);
  assert.equal(withheldFor(refused), undefined);
  await vm.register('127.0.0.80', port);
  await until('the next start', async () => ((await stored(s, 'vm-1'))?.generation ?? 0) > refused.generation);
  assert.equal(withheldFor((await stored(s, 'vm-1')) as RegisteredWorkload), undefined);
});

test('on another network it is asked for through a gateway of it, or nothing is known', async (t) => {
  const s = await site(t);
  const alone = await machine(t, s.plane, 'vm-1', { addresses: ['10.0.0.0/8'] });
  await alone.register('10.1.2.3', 15_006, 'edge');
  const unknown = await proven(s, 'vm-1', 'unknown');
  assert.match(unknown.reach?.reason ?? '', /has no gateway here/);
  assert.equal(withheldFor(unknown), undefined, 'the word of whoever made the token is all there is');
  const behind = await machine(t, s.plane, 'vm-2', { addresses: ['10.0.0.0/8'] });
  // Passthrough: what a gateway leads to is the mTLS end of the workload itself.
  s.gateways = [{ address: '127.0.0.1', port: await inbound(t, behind.source) }];
  await behind.register('10.1.2.4', 15_006, 'edge');
  assert.match((await proven(s, 'vm-2')).reach?.reason ?? '', /through gateway 127\.0\.0\.1/);
});

test('a machine that moves is one endpoint at every moment, is looked for where it went, and stays where its token lets it', async (t) => {
  const s = await site(t);
  const vm = await machine(t, s.plane, 'vm-1', { addresses: ['127.0.0.0/24'] });
  const port = await inbound(t, vm.source, '127.0.0.81');
  const registration = await vm.register('127.0.0.81', port);
  const before = await proven(s, 'vm-1');
  const seen = new Set<string>();
  const watching = new AbortController();
  const { revision } = await s.plane.store.list(workloadsPrefix);
  const watched = (async () => {
    for await (const { changes } of s.plane.store.watch(workloadsPrefix, revision, watching.signal))
      for (const change of changes) seen.add(change.kind === 'put' ? decodeInstance(change.entry).addresses.join() : 'removed');
  })();
  await inbound(t, vm.source, '127.0.0.82', port);
  registration.registerAs(vm.hello('127.0.0.82', port));
  const after = await until('the new place to be proven', async () => {
    const record = await stored(s, 'vm-1');
    return record?.addresses[0] === '127.0.0.82' && record.reach?.state === 'proven' ? record : undefined;
  });
  assert.deepEqual(
    [after.generation, after.registeredAt, after.services[0]?.healthy, withheldFor(after)],
    [before.generation, before.registeredAt, true, undefined],
  );
  assert.equal(after.reach?.place, `127.0.0.82:${port}`);
  assert.deepEqual(
    [...seen].filter((each) => each !== '127.0.0.81'),
    ['127.0.0.82'],
    'it was never away, nor in two places',
  );
  registration.registerAs(vm.hello('127.0.1.83', port));
  await until('a refusal', () => registration.status().state === 'refused');
  assert.match(registration.status().lastError ?? '', /127\.0\.1\.83 is not in 127\.0\.0\.0\/24/);
  // No waiting for the next slow attempt.
  registration.registerAs(vm.hello('127.0.0.81', port));
  await until('it is back', async () => (await stored(s, 'vm-1'))?.addresses[0] === '127.0.0.81', 3_000);
  watching.abort();
  await watched;
});
