import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { MeshError } from '../../core/errors.ts';
import { silentLog } from '../../core/log.ts';
import { clusterId, sourceId } from '../../core/model/index.ts';
import type { OwningPublisher, RegistrySource } from '../../core/registry/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { createKubernetesPublisher, createKubernetesSource } from '../../registries/kubernetes/index.ts';
import { Follower } from '../contract/registries/follower.ts';
import type { RegistryHarness } from '../contract/registries/harness.ts';
import { registryContract } from '../contract/registries/suite.ts';
import { BreakingProxy } from '../fakes/breaking-proxy.ts';
import { until } from '../support/until.ts';
import { rulesWith } from '../unit/registry/records.ts';
import { type RunningKubernetes, startKubernetes } from './servers/index.ts';
import { untilMay } from './servers/rights.ts';

const run = promisify(execFile);
const deps = { id: sourceId('kubernetes/main'), cluster: clusterId('east'), clock: systemClock, random: Math.random, log: silentLog };
const signal = new AbortController().signal;
/** A real server bookmarks about once a minute, so such a silence cuts healthy streams too: they must resume without a word. */
const hasty = { idleMs: 3_000, answerTimeoutMs: 3_000 };

async function writeKubeconfig(kubernetes: RunningKubernetes, name: string, server: string, token: string): Promise<string> {
  const file = join(kubernetes.apiserver.folder, name);
  // The client takes no server without TLS unless it is told to; the proxy before the real one has none.
  const insecure = { 'insecure-skip-tls-verify': true };
  const trust = server.startsWith('https') ? { 'certificate-authority-data': Buffer.from(kubernetes.ca).toString('base64') } : insecure;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'one',
    clusters: [{ name: 'one', cluster: { server, ...trust } }],
    users: [{ name: 'one', user: { token } }],
    contexts: [{ name: 'one', context: { cluster: 'one', user: 'one' } }],
  };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

function sourceOf(kubeconfig: string, namespaces: readonly string[] = [], limits: object = {}): RegistrySource {
  const connection = { type: 'kubernetes', kubeconfig, namespaces } as const;
  return createKubernetesSource(
    { type: 'kubernetes', rules: rulesWith({ namespaceFrom: 'native' }), publish: false, connection },
    deps,
    limits,
  );
}

function publisherOf(kubeconfig: string, cluster = 'east'): OwningPublisher {
  const connection = { type: 'kubernetes', kubeconfig, namespaces: [] } as const;
  const spec = { type: 'kubernetes', rules: rulesWith(), publish: true, connection } as const;
  return createKubernetesPublisher(spec, { ...deps, cluster: clusterId(cluster) });
}

async function realKubernetes(): Promise<RegistryHarness> {
  const kubernetes = await startKubernetes({ serviceCidr: '10.96.0.0/16' });
  const { api, apiserver, etcd } = kubernetes;
  const proxy = new BreakingProxy(kubernetes.url, kubernetes.ca);
  await proxy.server.start();
  const kubeconfig = await writeKubeconfig(kubernetes, 'through-proxy', proxy.server.url, kubernetes.token);
  const ports = new Map<string, number>();
  const putSlice = (service: string, instance: string, ready: boolean) => {
    const name = `${service}-${instance}`;
    const endpoints = [{ ip: '10.1.0.1', ready }];
    return api.writeEndpointSlice({
      namespace: 'default',
      name,
      service,
      endpoints,
      ports: [{ name: 'http', port: ports.get(name) ?? 0 }],
    });
  };
  let how = '';
  return {
    source: () => sourceOf(kubeconfig, [], hasty),
    register: async (name, instance, port) => {
      ports.set(`${name}-${instance}`, port);
      const spec = { ports: [{ name: 'http', port: 80 }] };
      await api.apply({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec });
      await putSlice(name, instance, true);
    },
    deregister: async (name, instance) => {
      ports.delete(`${name}-${instance}`);
      await api.remove(`/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/${name}-${instance}`);
      if (![...ports.keys()].some((key) => key.startsWith(`${name}-`))) await api.remove(`/api/v1/namespaces/default/services/${name}`);
    },
    setHealth: putSlice,
    breakages: ['errors', 'garbage', 'half-json', 'wrong-json', 'silence', 'refused', 'reset'],
    // What a real server can do, it does itself; the rest a proxy before it does.
    break: async (breakage) => {
      how = breakage;
      if (how === 'silence') apiserver.suspend();
      else if (how === 'refused') await apiserver.kill9();
      else await proxy.server.break(breakage);
    },
    repair: async () => {
      if (how === 'silence') apiserver.resume();
      else if (how === 'refused') await apiserver.restart();
      else await proxy.server.repair();
      how = '';
    },
    connections: () => proxy.server.connections,
    reset: async () => {
      await apiserver.kill9();
      await etcd.kill9();
      await rm(join(etcd.folder, 'data'), { recursive: true });
      await etcd.restart();
      await apiserver.restart();
      await until('the namespace is there', async () => (await api.get('/api/v1/namespaces/default')) !== undefined);
    },
    bulk: 60,
    stop: async () => {
      await proxy.server.stop();
      await kubernetes.stop();
    },
  };
}

registryContract('real Kubernetes', realKubernetes);

let kubernetes: RunningKubernetes;
before(async () => {
  kubernetes = await startKubernetes();
});
after(() => kubernetes?.stop());

const kubectl = async (...args: string[]) =>
  (await run(kubernetes.kubectl, ['--kubeconfig', kubernetes.kubeconfig, ...args])).stdout.trim();

async function tokenOf(account: string, namespace: string): Promise<string> {
  const token = await kubectl('create', 'token', account, '-n', namespace);
  return writeKubeconfig(kubernetes, `${namespace}-${account}.kubeconfig`, kubernetes.url, token);
}

/** The manifest as it is in the repository. */
async function applyRights(): Promise<void> {
  await kubectl('apply', '--server-side', '-f', 'deploy/kubernetes/rbac.yaml');
  const account = 'isthmus-system/isthmus-control';
  for (const verb of ['list', 'create']) await untilMay(kubernetes.api, { account, verb, resource: { name: 'services' } });
}

test("pods behind a Service: whose they are, where they run, and their readiness as the kubelet's report arrives", async (t) => {
  const { api } = kubernetes;
  await api.ensureNamespace('shop');
  const labels = { 'topology.kubernetes.io/region': 'eu', 'topology.kubernetes.io/zone': 'eu-1' };
  await api.call('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels } });
  const pod = { namespace: 'shop', name: 'pay-1', labels: { app: 'pay', v: '2' }, ip: '10.2.0.1', serviceAccount: 'payer', node: 'n1' };
  const spec = { selector: { app: 'pay' }, ports: [{ name: 'grpc-api', port: 80, targetPort: 8080 }] };
  await api.apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'pay', namespace: 'shop' }, spec });
  await api.writePod(pod);
  const follower = new Follower(sourceOf(kubernetes.kubeconfig));
  const endpoint = () => follower.state.get('shop/pay')?.endpoints[0];
  try {
    await until('the pod is an endpoint', () => endpoint()?.health === 'healthy' && endpoint()?.serviceAccount === 'payer');
    assert.deepEqual(follower.state.get('shop/pay')?.ports, [{ name: 'grpc-api', port: 80, protocol: 'grpc' }]);
    assert.deepEqual(
      [endpoint()?.address, endpoint()?.ports, endpoint()?.identityNamespace, endpoint()?.labels['v'], endpoint()?.locality],
      ['10.2.0.1', { 'grpc-api': 8080 }, 'shop', '2', { region: 'eu', zone: 'eu-1', subzone: '' }],
    );
    const from = follower.events.length;
    const started = performance.now();
    await api.writePod({ ...pod, ready: false });
    await until('it is unhealthy', () => endpoint()?.health === 'unhealthy');
    t.diagnostic(`unready pod to event, controller included: ${Math.round(performance.now() - started)} ms`);
    await api.writePod(pod);
    await until('it is healthy again', () => endpoint()?.health === 'healthy');
    await api.remove('/api/v1/namespaces/shop/pods/pay-1');
    await until('it is gone', () => follower.state.get('shop/pay')?.endpoints.length === 0);
    assert.deepEqual(new Set(follower.kinds().slice(from)), new Set(['upsert']), 'by the open watches, not by reading anew');
  } finally {
    await follower.stop();
  }
});

test('what was deleted while the API server forgot its history (410) is gone after the outage, the rest never was', async (t) => {
  const { api, apiserver } = kubernetes;
  await api.ensureNamespace('history');
  const service = (name: string) =>
    api.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'history' },
      spec: { ports: [{ name: 'http', port: 80 }] },
    });
  await service('kept');
  await service('deleted');
  const proxy = new BreakingProxy(kubernetes.url, kubernetes.ca);
  await proxy.server.start();
  t.after(() => proxy.server.stop());
  const kubeconfig = await writeKubeconfig(kubernetes, 'history', proxy.server.url, kubernetes.token);
  const follower = new Follower(sourceOf(kubeconfig, ['history'], { answerTimeoutMs: 3_000 }));
  try {
    await until('both are there', () => follower.state.has('history/kept') && follower.state.has('history/deleted'));
    await proxy.server.break('refused');
    const stale = await follower.untilKind('stale');
    const version = (await api.get('/api/v1/namespaces/history'))?.metadata.resourceVersion;
    await api.remove('/api/v1/namespaces/history/services/deleted');
    await service('added');
    await apiserver.kill9();
    await apiserver.restart();
    const watch = await api.call('GET', `/api/v1/services?watch=true&timeoutSeconds=1&resourceVersion=${version}`);
    assert.match(watch.body, /"code":410/, 'the server really has no history from before');
    assert.deepEqual([...follower.state.keys()].sort(), ['history/deleted', 'history/kept'], 'nothing is taken away meanwhile');
    await proxy.server.repair();
    await until('what was added is there', () => follower.state.has('history/added'));
    await until('what was deleted is not', () => !follower.state.has('history/deleted'));
    assert.ok(follower.state.has('history/kept'));
    const after = follower.events.slice(stale + 1);
    assert.ok(!after.some((e) => e.kind === 'delete' && e.id === 'history/kept'));
    assert.equal(after[0]?.kind, 'snapshot');
  } finally {
    await follower.stop();
  }
});

test('the reading role of deploy/kubernetes/rbac.yaml suffices to read, and not to write', async () => {
  await applyRights();
  await kubectl('create', 'serviceaccount', 'reader', '-n', 'isthmus-system');
  await kubectl('create', 'clusterrolebinding', 'reader', '--clusterrole=isthmus-read', '--serviceaccount=isthmus-system:reader');
  await untilMay(kubernetes.api, { account: 'isthmus-system/reader', verb: 'list', resource: { name: 'services' } });
  const kubeconfig = await tokenOf('reader', 'isthmus-system');
  const follower = new Follower(sourceOf(kubeconfig));
  try {
    await until('services are read', () => follower.state.has('default/kubernetes'));
    assert.equal(follower.kinds()[0], 'snapshot');
  } finally {
    await follower.stop();
  }
  await assert.rejects(
    publisherOf(kubeconfig).reconcile([{ namespace: 'default', name: 'x', ports: [], gatewayAddresses: [] }], signal),
    (e) => e instanceof MeshError && e.code === 'REGISTRY_REFUSED' && /docs\/connect-kubernetes/.test(e.message),
  );
});

test('rights to one namespace suffice for that namespace, without localities; none at all is stale, never empty', async () => {
  await kubernetes.api.ensureNamespace('solo');
  await kubectl('create', 'serviceaccount', 'solo', '-n', 'solo');
  const kubeconfig = await tokenOf('solo', 'solo');
  const refused = new Follower(sourceOf(kubeconfig, ['solo']));
  const at = await refused.untilKind('stale');
  const event = refused.events[at];
  await refused.stop();
  assert.ok(at === 0 && event?.kind === 'stale' && event.error.code === 'REGISTRY_REFUSED');
  const resources = 'services,pods,endpointslices.discovery.k8s.io';
  await kubectl('create', 'role', 'solo', '-n', 'solo', '--verb=get,list,watch', `--resource=${resources}`);
  await kubectl('create', 'rolebinding', 'solo', '-n', 'solo', '--role=solo', '--serviceaccount=solo:solo');
  const spec = { ports: [{ name: 'http', port: 80 }] };
  await kubernetes.api.apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'only', namespace: 'solo' }, spec });
  const follower = new Follower(sourceOf(kubeconfig, ['solo']));
  try {
    await until('the namespace is read', () => follower.state.has('solo/only'));
    assert.deepEqual([...follower.state.keys()], ['solo/only']);
  } finally {
    await follower.stop();
  }
});

test('publishes with the rights of deploy/kubernetes/rbac.yaml; nothing is imported again; all is taken back', async () => {
  await applyRights();
  await kubernetes.api.ensureNamespace('shop');
  const kubeconfig = await tokenOf('isthmus-control', 'isthmus-system');
  const publisher = publisherOf(kubeconfig);
  const ports = [
    { name: 'http', port: 80, protocol: 'http', gatewayPort: 16_001 },
    { name: 'UI', port: 81, protocol: 'tls', gatewayPort: 16_002 },
  ];
  const orders = { namespace: 'shop', name: 'orders', ports, gatewayAddresses: ['10.9.0.1', '10.9.0.2', 'fd00::1'] };
  assert.deepEqual(await publisher.reconcile([orders], signal), { written: 3, removed: 0, conflicts: [] });
  assert.deepEqual(await publisher.reconcile([orders], signal), { written: 0, removed: 0, conflicts: [] }, 'the server fills in much');
  assert.match(await kubectl('get', 'service', 'orders-mesh', '-n', 'shop', '-o', 'jsonpath={.spec.clusterIP}'), /^10\.0\.0\./);
  const path = '{range .items[*]}{.endpoints[*].addresses[0]} {.ports[*].port}{"\\n"}{end}';
  const slices = await kubectl(
    'get',
    'endpointslices',
    '-n',
    'shop',
    '-l',
    'kubernetes.io/service-name=orders-mesh',
    '-o',
    `jsonpath=${path}`,
  );
  assert.deepEqual(slices.split('\n').sort(), ['10.9.0.1 10.9.0.2 16001 16002', 'fd00::1 16001 16002']);
  const moved = {
    ...orders,
    ports: [{ name: 'http', port: 8080, protocol: 'http2', gatewayPort: 16_009 }],
    gatewayAddresses: ['10.9.0.2'],
  };
  assert.deepEqual(await publisher.reconcile([moved], signal), { written: 2, removed: 1, conflicts: [] });
  assert.deepEqual(await publisher.reconcile([moved], signal), { written: 0, removed: 0, conflicts: [] });
  const follower = new Follower(sourceOf(kubernetes.kubeconfig));
  try {
    await follower.untilKind('snapshot');
    assert.ok(follower.state.has('default/kubernetes') && !follower.state.has('shop/orders-mesh'));
  } finally {
    await follower.stop();
  }
  assert.match((await publisherOf(kubeconfig, 'west').reconcile([moved], signal)).conflicts.join(), /by Isthmus of east/);
  assert.deepEqual(await publisher.removeAll(signal), { written: 0, removed: 2, conflicts: [] });
  assert.equal(await kubectl('get', 'services,endpointslices', '-n', 'shop', '-l', 'isthmus.dev/owner', '-o', 'name'), '');
});

test('what the API server refuses concerns one service, and says what to do', async () => {
  const publisher = publisherOf(kubernetes.kubeconfig);
  await kubernetes.api.ensureNamespace('shop');
  const ports = [{ name: 'http', port: 80, protocol: 'http', gatewayPort: 16_001 }];
  const published = (namespace: string, name: string, address: string) => ({ namespace, name, ports, gatewayAddresses: [address] });
  await kubernetes.api.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'held-mesh', namespace: 'shop' },
    spec: { ports: [{ port: 1 }] },
  });
  const { conflicts, written } = await publisher.reconcile(
    [
      published('missing', 'one', '10.9.0.1'),
      published('shop', 'held', '10.9.0.1'),
      published('shop', 'loop', '127.0.0.1'),
      published('shop', 'fine', '10.9.0.1'),
    ],
    signal,
  );
  assert.equal(written, 3, 'two of the last, and the Service whose slice is refused');
  assert.match(conflicts[0] ?? '', /namespace missing does not exist: create it \(kubectl create namespace missing\)/);
  assert.match(conflicts[1] ?? '', /Service shop\/held-mesh exists, made not by Isthmus/);
  assert.match(conflicts[2] ?? '', /EndpointSlice shop\/loop-mesh-ipv4 is refused .*loopback.*gateways' addresses/s);
  assert.equal((await publisher.removeAll(signal)).removed, 3);
  assert.notEqual(await kubernetes.api.get('/api/v1/namespaces/shop/services/held-mesh'), undefined);
});
