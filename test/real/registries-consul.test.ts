import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '../../core/log.ts';
import { clusterId, sourceId } from '../../core/model/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { createConsulPublisher, createConsulSource } from '../../registries/consul/index.ts';
import { Follower } from '../contract/registries/follower.ts';
import type { RegistryHarness } from '../contract/registries/harness.ts';
import { registryContract } from '../contract/registries/suite.ts';
import { BreakingProxy } from '../fakes/breaking-proxy.ts';
import { until } from '../support/until.ts';
import { rulesWith } from '../unit/registry/records.ts';
import { type RunningConsul, startConsul } from './servers/consul.ts';

const deps = { id: sourceId('consul/dc1'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
const signal = new AbortController().signal;

async function realConsul(): Promise<RegistryHarness> {
  const consul = await startConsul();
  const proxy = new BreakingProxy(consul.url);
  await proxy.server.start();
  const put = async (path: string, body?: unknown) => void (await consul.api('PUT', path, body));
  let how = '';
  return {
    source() {
      const connection = { type: 'consul', url: proxy.server.url } as const;
      const tuning = { waitMs: 2_000, marginMs: 1_500, backoff: { baseMs: 20, maxMs: 200 } };
      return createConsulSource({ type: 'consul', rules: rulesWith(), publish: false, connection }, deps, tuning);
    },
    register: async (Name, instance, Port) => {
      const ID = `${Name}-${instance}`;
      await put('/v1/agent/service/register', { Name, ID, Port, Check: { CheckID: `check-${ID}`, TTL: '1h', Status: 'passing' } });
      // Only a status that was reported outlives the agent; the initial one does not.
      await put(`/v1/agent/check/pass/check-${ID}`);
    },
    deregister: (service, instance) => put(`/v1/agent/service/deregister/${service}-${instance}`),
    setHealth: (service, instance, healthy) => put(`/v1/agent/check/${healthy ? 'pass' : 'fail'}/check-${service}-${instance}`),
    breakages: ['errors', 'garbage', 'half-json', 'wrong-json', 'silence', 'refused', 'reset'],
    // What a real server can do, it does itself; the rest a proxy before it does.
    break: async (breakage) => {
      how = breakage;
      if (how === 'silence') consul.suspend();
      else if (how === 'refused') await consul.kill9();
      else await proxy.server.break(breakage);
    },
    repair: async () => {
      if (how === 'silence') consul.resume();
      else if (how === 'refused') await consul.restart();
      else await proxy.server.repair();
      how = '';
      await until('consul has its leader again', () => consul.api('GET', '/v1/health/service/consul?passing'));
    },
    connections: () => proxy.server.connections,
    reset: async () => {
      await consul.kill9();
      await rm(join(consul.folder, 'data'), { recursive: true });
      await consul.restart();
    },
    bulk: 60,
    stop: async () => {
      await proxy.server.stop();
      await consul.stop();
    },
  };
}

registryContract('real Consul', realConsul);

let consul: RunningConsul;
before(async () => {
  consul = await startConsul({ acl: true });
});
after(() => consul?.stop());

function source(tokenFile: string, id = 'consul/dc1') {
  const connection = { type: 'consul', url: consul.url, tokenFile, datacenter: 'dc1' } as const;
  const spec = { type: 'consul', rules: rulesWith(), publish: true, connection } as const;
  return {
    source: createConsulSource(spec, { ...deps, id: sourceId(id) }),
    publisher: createConsulPublisher(spec, { ...deps, id: sourceId(id) }),
  };
}

async function createPolicy(rules: string): Promise<{ Name: string }> {
  const Name = `policy-${randomUUID()}`;
  await consul.api('PUT', '/v1/acl/policy', { Name, Rules: rules });
  return { Name };
}

/** A token file for a policy of the documentation. */
async function tokenFor(rules: string): Promise<string> {
  const policy = await createPolicy(rules);
  const token = JSON.parse((await consul.api('PUT', '/v1/acl/token', { Policies: [policy] })).body) as { SecretID: string };
  const file = join(consul.folder, `${policy.Name}.token`);
  await writeFile(file, token.SecretID, { mode: 0o600 });
  return file;
}

const readPolicy = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }';
const publishPolicy = `${readPolicy} service "pay-mesh" { policy = "write" } node "isthmus-east" { policy = "write" }`;

test('a token with the documented rights reads everything; health follows checks and maintenance at once', async () => {
  await consul.api('PUT', '/v1/agent/service/register', {
    Name: 'orders',
    ID: 'orders-1',
    Address: '10.7.0.1',
    Port: 7001,
    Weights: { Passing: 9, Warning: 3 },
    Meta: { 'isthmus-protocol': 'grpc' },
    Check: { CheckID: 'orders-1', TTL: '1h', Status: 'passing' },
  });
  const follower = new Follower(source(await tokenFor(readPolicy)).source);
  try {
    await follower.untilPorts('orders', 7001);
    const endpoint = () => follower.state.get('default/orders')?.endpoints[0];
    assert.equal(follower.state.get('default/orders')?.ports[0]?.protocol, 'grpc');
    assert.equal(endpoint()?.weight, 9);
    await consul.api('PUT', '/v1/agent/check/warn/orders-1');
    await until('warning has its weight', () => endpoint()?.weight === 3 && endpoint()?.health === 'healthy');
    await consul.api('PUT', '/v1/agent/check/fail/orders-1');
    await until('critical is unhealthy', () => endpoint()?.health === 'unhealthy');
    await consul.api('PUT', '/v1/agent/check/pass/orders-1');
    await consul.api('PUT', '/v1/agent/service/maintenance/orders-1?enable=true');
    await until('maintenance drains', () => endpoint()?.health === 'draining');
    await consul.api('PUT', '/v1/agent/service/maintenance/orders-1?enable=false');
    await until('healthy again', () => endpoint()?.health === 'healthy');
    assert.deepEqual(new Set(follower.kinds().slice(1)), new Set(['upsert']));
  } finally {
    await follower.stop();
  }
});

test('a token without rights is told so, and never reads as an empty registry', async () => {
  for (const [rules, what] of [
    ['key_prefix "" { policy = "read" }', 'no service'],
    ['service_prefix "" { policy = "read" }', 'no node'],
  ] as const) {
    const follower = new Follower(source(await tokenFor(rules)).source);
    try {
      const at = await follower.untilKind('stale');
      const event = follower.events[at];
      assert.ok(event?.kind === 'stale' && event.error.code === 'REGISTRY_REFUSED', what);
      assert.equal(at, 0);
    } finally {
      await follower.stop();
    }
  }
});

test('publishes with the documented rights: DNS finds the gateway, nothing is imported again, all is taken back', async () => {
  const tokenFile = await tokenFor(publishPolicy);
  const { source: own, publisher } = source(tokenFile);
  const follower = new Follower(own);
  try {
    await follower.untilKind('snapshot');
    const ports = [{ name: 'http', port: 80, protocol: 'http', gatewayPort: 16_001 }];
    const pay = { namespace: 'shop', name: 'pay', ports, gatewayAddresses: ['127.0.0.7', '127.0.0.8'] };
    assert.deepEqual(await publisher.reconcile([pay], signal), { written: 2, removed: 0, conflicts: [] });
    assert.deepEqual(await publisher.reconcile([pay], signal), { written: 0, removed: 0, conflicts: [] });
    await consul.api('PUT', '/v1/agent/service/register', { Name: 'marker', ID: 'marker-1', Port: 7100 });
    await follower.untilPorts('marker', 7100);
    assert.equal(follower.ports('pay-mesh'), undefined);

    // Callers ask DNS without a token.
    await consul.api('PUT', '/v1/acl/token/00000000-0000-0000-0000-000000000002', { Policies: [await createPolicy(readPolicy)] });
    const dns = new Resolver();
    dns.setServers([`${consul.dns.address}:${consul.dns.port}`]);
    const answers = await until('DNS knows the record', () => dns.resolveSrv('http.pay-mesh.service.consul'));
    assert.deepEqual(new Set(answers.map((a) => a.port)), new Set([16_001]));
    assert.equal(answers.length, 2);

    assert.equal((await publisher.listOwned(signal)).length, 2);
    const refused = publisher.reconcile([pay, { ...pay, name: 'other' }], signal);
    await assert.rejects(refused, { code: 'REGISTRY_REFUSED' });
    assert.deepEqual(await publisher.removeAll(signal), { written: 0, removed: 2, conflicts: [] });
    const nodes = JSON.parse((await consul.api('GET', '/v1/catalog/nodes')).body) as { Node: string }[];
    assert.ok(!nodes.some((n) => n.Node === 'isthmus-east'));
  } finally {
    await follower.stop();
  }
});

test("an agent's anti-entropy leaves what is published alone", async () => {
  const { publisher } = source(await tokenFor(publishPolicy));
  const ports = [{ name: 'http', port: 80, protocol: 'http', gatewayPort: 16_002 }];
  await publisher.reconcile([{ namespace: 'shop', name: 'pay', ports, gatewayAddresses: ['127.0.0.7'] }], signal);
  // A restarted agent syncs everything it knows of its own node.
  await consul.restart();
  await until('the agent is in the catalog again', () => consul.api('GET', '/v1/health/service/consul?passing'));
  assert.equal((await publisher.listOwned(signal)).length, 1);
  assert.equal((await publisher.removeAll(signal)).removed, 1);
});
