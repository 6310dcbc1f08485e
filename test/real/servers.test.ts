import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { startConsul, startEnvoy, startEtcd, startKubernetes, startNomad, validateEnvoyConfig } from './servers/index.ts';

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

const HTTP_APP = 'require("http").createServer((q, s) => s.end(String(process.pid))).listen(+process.argv[1], "127.0.0.1")';

interface NativeService {
  readonly AllocID: string;
  readonly Address: string;
  readonly Port: number;
}

test('nomad runs a raw_exec job, lists its native service, and takes its tasks up again after a kill -9', async (t) => {
  const nomad = await startNomad();
  t.after(() => nomad.stop());
  const registered = async (): Promise<NativeService[]> =>
    JSON.parse((await nomad.api('GET', '/v1/service/inventory')).body) as NativeService[];
  const ask = async ({ Address, Port }: NativeService): Promise<string> =>
    (await nomad.reach.request({ url: `http://${Address}:${Port}/` })).body;

  const args = ['-e', HTTP_APP, `\${NOMAD_PORT_main}`];
  await nomad.run({ job: 'inventory', command: process.execPath, args, count: 2, check: { http: '/' } });
  const [one, two] = await until('two services that answer', async () => {
    const found = await registered();
    return found.length === 2 && (await Promise.all(found.map(ask))).every(Boolean) ? found : undefined;
  });
  assert.ok(one !== undefined && two !== undefined);
  const pid = await ask(one);

  await nomad.client.kill9();
  await nomad.server.kill9();
  assert.equal(await ask(one), pid, 'the task runs on without its agents');
  await nomad.server.restart();
  await nomad.client.restart();
  await until('both services with the same allocations', async () => {
    const ids = (await registered()).map((service) => service.AllocID);
    return ids.length === 2 && ids.includes(one.AllocID) && ids.includes(two.AllocID);
  });
  assert.equal(await ask(one), pid);

  await nomad.api('POST', `/v1/allocation/${one.AllocID}/stop`);
  await until('the stopped allocation out of the service', async () => !(await registered()).some((s) => s.AllocID === one.AllocID));
  assert.match(await ask(two), /^\d+$/);
  await nomad.stop();
  await assert.rejects(ask(two), 'stop ends the tasks too');
});

test('nomad with ACLs refuses a caller without a token', async (t) => {
  const nomad = await startNomad({ acl: true });
  t.after(() => nomad.stop());
  assert.equal((await nomad.reach.request({ url: `${nomad.url}/v1/jobs` })).status, 403);
  assert.deepEqual(JSON.parse((await nomad.api('GET', '/v1/jobs')).body), []);
});

test('kubernetes turns a ready pod into an EndpointSlice, takes its readiness back, and comes back after a kill -9', async (t) => {
  const kubernetes = await startKubernetes();
  t.after(() => kubernetes.stop());
  const { api } = kubernetes;
  const pod = { namespace: 'shop', name: 'payments-1', labels: { app: 'payments' }, ip: '198.18.1.20', serviceAccount: 'payments' };
  await api.writePod(pod);
  await api.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'payments', namespace: 'shop' },
    spec: { selector: { app: 'payments' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  });
  const endpoints = async (): Promise<{ addresses: string[]; conditions: { ready: boolean } }[]> => {
    const slices = await api.list('/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices');
    return slices.flatMap((slice) => (slice['endpoints'] ?? []) as Awaited<ReturnType<typeof endpoints>>);
  };
  const readiness = async (): Promise<string> => (await endpoints()).map((e) => `${e.addresses[0]} ${e.conditions.ready}`).join();
  await until('the ready endpoint', async () => (await readiness()) === '198.18.1.20 true');
  await kubernetes.apiserver.kill9();
  await kubernetes.apiserver.restart();
  await api.writePod({ ...pod, ready: false });
  await until('the endpoint unready', async () => (await readiness()) === '198.18.1.20 false');
  await api.remove('/api/v1/namespaces/shop/pods/payments-1');
  await until('no endpoint', async () => (await readiness()) === '');
});

test('envoy tells a good bootstrap from a bad one, and serves the good one', async (t) => {
  const listener = (address: string) => ({ name: 'one', address: { socket_address: { address, port_value: 0 } }, filter_chains: [{}] });
  const bootstrap = { static_resources: { listeners: [listener('127.0.0.1')] } };
  assert.deepEqual(await validateEnvoyConfig(bootstrap), { accepted: true });
  const refused = await validateEnvoyConfig({ static_resources: { listeners: [listener('nowhere')] } });
  assert.ok(!refused.accepted && refused.problem.includes('nowhere'), JSON.stringify(refused));
  const envoy = await startEnvoy({ bootstrap });
  t.after(() => envoy.stop());
  const listeners = await envoy.reach.request({ url: `${envoy.adminUrl}/listeners` });
  assert.match(listeners.body, /one::127\.0\.0\.1:/);
});
