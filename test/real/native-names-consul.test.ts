import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '../../core/log.ts';
import { clusterId, sourceId } from '../../core/model/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { createConsulNativeNames, createConsulPublisher, createConsulSource } from '../../registries/consul/index.ts';
import { Follower } from '../contract/registries/follower.ts';
import { until } from '../support/until.ts';
import { rulesWith } from '../unit/registry/records.ts';
import { type RunningConsul, startConsul } from './servers/consul.ts';

const deps = { id: sourceId('consul/dc1'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
const { signal } = new AbortController();
const ports = [{ name: 'http', port: 80, protocol: 'http', gatewayPort: 16_001 }];
const orders = { namespace: 'shop', name: 'orders' };
const switched = { ...orders, ports, gatewayAddresses: ['127.0.0.7', '127.0.0.8'] };
const gateways = ['127.0.0.7:16001', '127.0.0.8:16001'];
const originals = ['127.0.0.1:7001', '127.0.0.1:7002', '10.7.0.9:7003'];

let consul: RunningConsul;
before(async () => {
  consul = await startConsul({ acl: true });
  await consul.api('PUT', '/v1/acl/token/00000000-0000-0000-0000-000000000002', { Policies: [await policy(readRules)] });
  for (const [n, port] of [7001, 7002].entries()) {
    const check = { CheckID: `check-${n}`, TTL: '1h' };
    await put('/v1/agent/service/register', {
      Name: 'bestellungen',
      ID: `orders-${n}`,
      Address: '127.0.0.1',
      Port: port,
      Tags: ['v1', `n${n}`],
      Check: check,
    });
    await put(`/v1/agent/check/pass/check-${n}`);
  }
  // Of a machine without an agent.
  const service = { ID: 'orders-9', Service: 'bestellungen', Address: '10.7.0.9', Port: 7003, Tags: ['v1'] };
  await put('/v1/catalog/register', { Node: 'far', Address: '10.7.0.9', NodeMeta: { 'external-node': 'true' }, Service: service });
  await put('/v1/agent/service/register', { Name: 'other', ID: 'other-1', Port: 7100 });
});
after(() => consul?.stop());

const readRules = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }';
const writeRules = `${readRules} service_prefix "" { policy = "write" } node "isthmus-east" { policy = "write" } node "far" { policy = "write" }`;
const put = async (path: string, body?: unknown) => void (await consul.api('PUT', path, body));

async function policy(Rules: string): Promise<{ Name: string }> {
  const Name = `policy-${randomUUID()}`;
  await put('/v1/acl/policy', { Name, Rules });
  return { Name };
}

/** Of one replica, with a token of these rights. */
async function replica(rules = writeRules) {
  const made = JSON.parse((await consul.api('PUT', '/v1/acl/token', { Policies: [await policy(rules)] })).body) as { SecretID: string };
  const tokenFile = join(consul.folder, `${randomUUID()}.token`);
  await writeFile(tokenFile, made.SecretID, { mode: 0o600 });
  const mapping = rulesWith({ namespace: 'shop', rename: { bestellungen: 'orders' } });
  const spec = { type: 'consul', rules: mapping, publish: true, connection: { type: 'consul', url: consul.url, tokenFile } } as const;
  return {
    names: createConsulNativeNames(spec, deps),
    publisher: createConsulPublisher(spec, deps),
    source: createConsulSource(spec, deps),
  };
}

/** Who answers to the name, by the API that clients use. */
async function byApi(query = 'passing'): Promise<string[]> {
  const { body } = await consul.api('GET', `/v1/health/service/bestellungen?${query}`);
  return (JSON.parse(body) as { Service: { Address: string; Port: number } }[])
    .map(({ Service }) => `${Service.Address}:${Service.Port}`)
    .sort();
}

/** The same by DNS, which tells three at most. */
async function byDns(): Promise<string[]> {
  const dns = new Resolver();
  dns.setServers([`${consul.dns.address}:${consul.dns.port}`]);
  const found = await dns.resolveSrv('bestellungen.service.consul');
  return found.map(({ port }) => String(port)).sort();
}

const isNow = (expected: readonly string[]) => async () => JSON.stringify(await byApi()) === JSON.stringify([...expected].sort());
const portsOf = (list: readonly string[]) => list.map((each) => each.split(':')[1]).sort();

test('gateways join the native name; with takeover the originals leave it, stay healthy for the mesh, and are back as they were', async () => {
  const { names, source, publisher } = await replica();
  const follower = new Follower(source);
  const meshHealth = () => follower.state.get('shop/orders')?.endpoints.map(({ health }) => health);
  try {
    await until('all are imported', () => meshHealth()?.length === 3);
    assert.deepEqual(await byApi(), [...originals].sort());
    assert.deepEqual(await byDns(), portsOf(originals));
    const added = await names.switch({ ...switched, drainOriginals: false }, signal);
    assert.deepEqual(added, { state: 'switched', originals: 3, drained: 0, problems: [] });
    assert.deepEqual(await byApi(), [...originals, ...gateways].sort());
    assert.deepEqual(await byApi('passing&tag=v1'), [...originals, ...gateways].sort(), 'tags that all have, the gateways have too');
    assert.deepEqual(await byApi('passing&tag=n0'), ['127.0.0.1:7001']);
    // What is published as NAME-mesh is another matter.
    await publisher.reconcile([], signal);
    assert.deepEqual(await byApi(), [...originals, ...gateways].sort());

    const taken = await names.switch({ ...switched, drainOriginals: true }, signal);
    assert.deepEqual(taken, { state: 'switched', originals: 3, drained: 3, problems: [] });
    assert.deepEqual(await byApi(), gateways);
    assert.deepEqual(await byDns(), portsOf(gateways));
    assert.deepEqual(await names.switch({ ...switched, drainOriginals: true }, signal), taken, 'again it is the same');

    // The mesh goes on as before: healthy is healthy, and what fails besides is unhealthy.
    await put('/v1/agent/check/fail/check-1');
    await until('a real fault shows through', () => meshHealth()?.filter((health) => health === 'unhealthy').length === 1);
    assert.equal(meshHealth()?.filter((health) => health === 'healthy').length, 2);
    await put('/v1/agent/check/pass/check-1');
    await until('healthy again', () => meshHealth()?.every((health) => health === 'healthy'));
    assert.equal(meshHealth()?.length, 3, 'gateways are not imported');

    // An instance that comes later is drained by the next look.
    await put('/v1/agent/service/register', { Name: 'bestellungen', ID: 'orders-2', Address: '127.0.0.1', Port: 7004 });
    await until('it answers', isNow([...gateways, '127.0.0.1:7004']));
    assert.equal((await names.switch({ ...switched, drainOriginals: true }, signal)).drained, 4);
    assert.deepEqual(await byApi(), gateways);
    await put('/v1/agent/service/deregister/orders-2');

    // Another replica, which knows nothing of all this.
    const restored = await (await replica()).names.restore(orders, signal);
    assert.deepEqual(restored, { state: 'original', originals: 3, drained: 0, problems: [] });
    assert.deepEqual(await byApi(), [...originals].sort());
    assert.deepEqual(await names.restore(orders, signal), restored);
    const nodes = JSON.parse((await consul.api('GET', '/v1/catalog/nodes')).body) as { Node: string }[];
    assert.ok(!nodes.some(({ Node }) => Node === 'isthmus-east'));
    const { body } = await consul.api('GET', '/v1/health/service/bestellungen');
    assert.ok(!body.includes('[isthmus'), 'no trace is left');
  } finally {
    await follower.stop();
  }
});

test('maintenance by somebody else is neither made ours nor ended', async () => {
  const { names } = await replica();
  await put('/v1/agent/service/maintenance/orders-1?enable=true&reason=disk');
  await until('it is out', isNow(originals.filter((each) => !each.endsWith('7002'))));
  assert.equal((await names.switch({ ...switched, drainOriginals: true }, signal)).drained, 2);
  assert.equal((await names.restore(orders, signal)).state, 'original');
  assert.deepEqual(await byApi(), ['10.7.0.9:7003', '127.0.0.1:7001']);
  await put('/v1/agent/service/maintenance/orders-1?enable=false');
  await until('it is back', isNow(originals));
});

test('what the token may not do is said of each instance, and nobody is left without an answer', async () => {
  const mayAdd = `${readRules} service "bestellungen" { policy = "read" } node "isthmus-east" { policy = "write" }`;
  await assert.rejects((await replica(mayAdd)).names.switch({ ...switched, drainOriginals: false }, signal), { code: 'REGISTRY_REFUSED' });
  assert.deepEqual(await byApi(), [...originals].sort());
  // Its agent is said to be there, and answers nobody.
  const deaf = { Node: 'deaf', Address: '127.0.0.99', Service: { ID: 'orders-7', Service: 'bestellungen', Port: 7007 } };
  await put('/v1/catalog/register', { ...deaf, Check: { CheckID: 'serfHealth', Name: 'Serf', Status: 'passing' } });
  const { names } = await replica();
  const half = await names.switch({ ...switched, drainOriginals: true }, signal);
  assert.deepEqual([half.state, half.originals, half.drained], ['switched', 4, 3]);
  assert.match(half.problems.join(), /not drained: orders-7 on node deaf: .*its agent must take calls/);
  assert.deepEqual(await byApi(), [...gateways, ':7007'].sort());
  await put('/v1/catalog/deregister', { Node: 'deaf' });
  // Nor may this one restore: the gateways stay until somebody can.
  const blind = await (await replica(`${readRules} node "isthmus-east" { policy = "write" }`)).names.restore(orders, signal);
  assert.deepEqual([blind.state, blind.drained, blind.problems.length], ['switched', 3, 3]);
  assert.ok((await byApi()).includes('127.0.0.7:16001'));
  assert.equal((await names.restore(orders, signal)).state, 'original');
  assert.deepEqual(await byApi(), [...originals].sort());
});

test('without a gateway, or a service of that name, nothing is touched; uninstalling takes all of it back', async () => {
  const { names, publisher } = await replica();
  const none = await names.switch({ ...switched, gatewayAddresses: [], drainOriginals: true }, signal);
  assert.deepEqual([none.state, none.drained], ['original', 0]);
  assert.match(none.problems.join(), /shop\/orders has no gateway here: run one/);
  const unknown = await names.switch({ ...switched, name: 'carts', drainOriginals: true }, signal);
  assert.match(unknown.problems.join(), /no service of this Consul is shop\/carts/);
  await names.switch({ ...switched, drainOriginals: true }, signal);
  assert.deepEqual(await byApi(), gateways);
  // A gateway went, another came.
  await names.switch({ ...switched, gatewayAddresses: ['127.0.0.9'], drainOriginals: true }, signal);
  assert.deepEqual(await byApi(), ['127.0.0.9:16001']);
  assert.deepEqual((await publisher.removeAll(signal)).conflicts, []);
  assert.deepEqual(await byApi(), [...originals].sort());
});
