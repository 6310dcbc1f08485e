import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { startConsul } from './servers/consul.ts';
import { startEtcd } from './servers/etcd.ts';

test('etcd keeps what it acknowledged through a kill -9', async (t) => {
  const etcd = await startEtcd();
  t.after(() => etcd.stop());
  const call = async (path: string, body: unknown): Promise<unknown> => {
    const reply = await etcd.reach.request({ url: `${etcd.url}${path}`, method: 'POST', body: JSON.stringify(body) });
    assert.equal(reply.status, 200, reply.body);
    return JSON.parse(reply.body);
  };
  const key = Buffer.from('/isthmus/smoke').toString('base64');
  await call('/v3/kv/put', { key, value: Buffer.from('kept').toString('base64') });
  await etcd.kill9();
  await etcd.restart();
  const { kvs } = (await call('/v3/kv/range', { key })) as { kvs: { value: string }[] };
  assert.equal(Buffer.from(kvs[0]?.value ?? '', 'base64').toString(), 'kept');
});

test('consul answers for a registered service by API and DNS, and drops it from DNS when its check goes critical', async (t) => {
  const consul = await startConsul({ datacenter: 'smoke' });
  t.after(() => consul.stop());
  const check = { CheckID: 'catalog-up', TTL: '60s', Status: 'passing' };
  await consul.api('PUT', '/v1/agent/service/register', { Name: 'catalog', Address: '127.0.0.9', Port: 8080, Check: check });
  const resolver = new Resolver();
  resolver.setServers([`${consul.dns.address}:${consul.dns.port}`]);
  const answer = await until('the service in DNS', () => resolver.resolveSrv('catalog.service.smoke.consul'));
  assert.equal(answer[0]?.port, 8080);
  await consul.api('PUT', '/v1/agent/check/fail/catalog-up');
  await until('the critical service out of DNS', () =>
    resolver.resolve4('catalog.service.smoke.consul').then(
      () => false,
      () => true,
    ),
  );
});

test('consul with ACLs refuses a caller without a token, and comes back empty when it is not durable', async (t) => {
  const consul = await startConsul({ acl: true, durable: false });
  t.after(() => consul.stop());
  const bare = await consul.reach.request({ url: `${consul.url}/v1/kv/x`, method: 'PUT', body: '1' });
  assert.equal(bare.status, 403);
  await consul.api('PUT', '/v1/kv/x', 1);
  await consul.restart();
  await assert.rejects(consul.api('GET', '/v1/kv/x'), /404/);
});
