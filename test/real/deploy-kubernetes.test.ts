import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { parseConfig } from '../../control/config/index.ts';
import type { Status } from '../../core/admin/index.ts';
import type { RegistryObject } from '../../core/config/index.ts';
import { silentLog } from '../../core/log.ts';
import { clusterId, sourceId } from '../../core/model/index.ts';
import { systemClock } from '../../core/system-clock.ts';
import { createPublisher } from '../../registries/index.ts';
import { kubernetesManifests, type Manifest, readManifests, repositoryRoot } from '../support/deploy-files.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { runContainer, startContainer } from './containers/container.ts';
import { kubelet, place, podOf } from './containers/kubelet.ts';
import { podContainer, probeUrl } from './containers/pods.ts';
import { createNetwork, type RunningKubernetes, startKubernetes } from './servers/index.ts';
import { untilMay } from './servers/rights.ts';

const run = promisify(execFile);
async function onLoopback(t: TestContext): Promise<RunningKubernetes> {
  const kubernetes = await startKubernetes();
  onEnd(t, () => kubernetes.stop());
  await kubectlOf(kubernetes)('apply', '-f', 'deploy/kubernetes/rbac.yaml');
  return kubernetes;
}

function kubectlOf({ kubectl, kubeconfig }: RunningKubernetes): (...args: string[]) => Promise<string> {
  return async (...args) => (await run(kubectl, ['--kubeconfig', kubeconfig, ...args], { cwd: repositoryRoot })).stdout;
}

const account = 'system:serviceaccount:isthmus-system:isthmus-control';

test('the API server takes every manifest, without a field that it does not know', async (t) => {
  const kubernetes = await onLoopback(t);
  const kubectl = kubectlOf(kubernetes);
  for (const path of kubernetesManifests) {
    const said = await kubectl('apply', '--dry-run=server', '--validate=strict', '-f', path);
    const objects = await readManifests(path);
    assert.equal(said.trim().split('\n').length, objects.length, said);
    for (const { kind } of objects) assert.match(said, new RegExp(`${kind}[^\\n]*server dry run`, 'i'));
  }
});

const readable = ['services', 'pods', 'nodes', 'endpointslices.discovery.k8s.io'];
const writable = ['services', 'endpointslices.discovery.k8s.io'];

test('the service account may do what its control plane does, and nothing beside it', async (t) => {
  const kubernetes = await onLoopback(t);
  const kubectl = kubectlOf(kubernetes);
  // One right of each role: the others come with it.
  for (const [verb, resource] of [
    ['list', { name: 'services' }],
    ['create', { name: 'services' }],
    ['list', { group: 'isthmus.dev', name: 'migrations' }],
  ] as const)
    await untilMay(kubernetes.api, { account: 'isthmus-system/isthmus-control', verb, resource });
  const may = async (verb: string, resource: string): Promise<boolean> => {
    const said = kubectl('auth', 'can-i', verb, resource, '--all-namespaces', `--as=${account}`);
    return (await said.catch((error: { stdout: string }) => error.stdout)).trim() === 'yes';
  };
  for (const resource of readable) for (const verb of ['list', 'watch']) assert.ok(await may(verb, resource), `${verb} ${resource}`);
  for (const resource of writable)
    for (const verb of ['create', 'update', 'delete']) assert.ok(await may(verb, resource), `${verb} ${resource}`);
  const refused = [
    'get secrets',
    'list secrets',
    'list configmaps',
    'create pods',
    'delete pods',
    'create pods/exec',
    'patch nodes',
    'impersonate users',
  ];
  for (const what of refused) {
    const [verb = '', resource = ''] = what.split(' ');
    assert.ok(!(await may(verb, resource)), `may ${what}`);
  }
  const roles = (await readManifests('deploy/kubernetes/rbac.yaml')).flatMap((m) => m.rules ?? []);
  assert.ok(!JSON.stringify(roles).includes('*'), 'a role with a wildcard');

  // What it publishes, with its own token and no other.
  await kubernetes.api.ensureNamespace('shop');
  const token = (await kubectl('create', 'token', '-n', 'isthmus-system', 'isthmus-control')).trim();
  const kubeconfig = join(kubernetes.apiserver.folder, 'isthmus.kubeconfig');
  const text = JSON.parse(await readFile(kubernetes.kubeconfig, 'utf8')) as { users: unknown[] };
  await writeFile(kubeconfig, JSON.stringify({ ...text, users: [{ name: 'admin', user: { token } }] }), { mode: 0o600 });
  const publisher = createPublisher(await registryWith(kubeconfig), deps);
  const ports = [{ name: 'http', port: 80, protocol: 'http', gatewayPort: 16_000 }];
  const service = { namespace: 'shop', name: 'catalog', ports, gatewayAddresses: ['10.0.0.9'] };
  const { signal } = new AbortController();
  assert.deepEqual(await publisher?.reconcile([service], signal), { written: 2, removed: 0, conflicts: [] });
  const moved = await publisher?.reconcile([{ ...service, gatewayAddresses: ['10.0.0.10'] }], signal);
  assert.deepEqual(moved, { written: 1, removed: 0, conflicts: [] });
  assert.equal((await publisher?.removeAll(signal))?.removed, 2);
});

const deps = { id: sourceId('kubernetes/kubernetes'), cluster: clusterId('west'), clock: systemClock, random: Math.random, log: silentLog };

/** The manifest's own Registry object, from outside the cluster. */
async function registryWith(kubeconfig: string): Promise<RegistryObject> {
  const manifests = await readManifests('deploy/kubernetes/control.yaml');
  const text = manifests
    .flatMap((m) => m.data?.['isthmus.yaml'] ?? [])
    .join('')
    .replace('connection: {}', `connection: {kubeconfig: ${kubeconfig}}`);
  const parsed = parseConfig([{ file: '/etc/isthmus/isthmus.yaml', text }]);
  const registry = parsed.ok ? parsed.value.objects.find((o) => o.kind === 'Registry') : undefined;
  assert.ok(registry?.kind === 'Registry', JSON.stringify(parsed));
  return registry;
}

test('control plane and gateway run as their manifests say, on the rights that these give', { timeout: 300_000 }, async (t) => {
  const network = await createNetwork({ sites: { west: ['api', 'node', 'pod'] } });
  onEnd(t, () => network.remove());
  const here = await place(t, network);
  await here.kubectl('apply', '-f', 'deploy/kubernetes/rbac.yaml');
  const { node, pod: podHost, kubernetes } = here;
  await kubernetes.api.ensureNamespace('shop');
  await kubernetes.api.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'payments', namespace: 'shop' },
    spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  });
  await kubernetes.api.writePod({ namespace: 'shop', name: 'payments-0', labels: { app: 'payments' }, ip: node.address });
  await kubernetes.api.writeEndpointSlice({
    namespace: 'shop',
    name: 'payments-1',
    service: 'payments',
    ports: [{ name: 'http', port: 8080 }],
    endpoints: [{ ip: node.address, pod: 'payments-0' }],
  });

  // The variant that the manifest's own comment describes: a cluster that holds the root, as a gateway's token needs one.
  const configMap = (await readManifests('deploy/kubernetes/control.yaml')).find((m): m is Manifest => m.kind === 'ConfigMap');
  const config = configMap?.data?.['isthmus.yaml']?.replace(/( +)stateDir: .*/, '$&\n$1identity: {rootDir: /var/lib/isthmus/root}');
  const pods = await kubelet(t, here, config ?? '');
  const pod = await podOf('deploy/kubernetes/control.yaml');
  const root = { ISTHMUS_ROOT_DIR: '/var/lib/isthmus/root', ISTHMUS_TRUST_DOMAIN: 'mesh.example.com' };
  const first = podContainer(pod, 'first-start', { ...pods, env: { ...pods.env, ...root } });
  for (const time of ['first', 'second']) {
    const ended = await runContainer(first);
    assert.deepEqual([ended.code, ended.out], [0, ''], `${time} time: ${ended.err}`);
  }

  const spec = podContainer(pod, 'control', pods);
  const [container] = pod.containers;
  assert.ok(container !== undefined);
  const probe = (name: 'readinessProbe' | 'livenessProbe') => ({ url: probeUrl(container, name, podHost.address) ?? 'no such port' });
  const control = await startContainer(spec, async (reach) => (await reach.request(probe('readinessProbe'))).status === 200);
  onEnd(t, () => control.stop());
  assert.equal((await podHost.reach.request(probe('livenessProbe'))).status, 200);
  const exec = async (...command: string[]): Promise<string> => {
    const { code, out, err } = await runContainer({ ...spec, name: 'exec', command });
    assert.equal(code, 0, err);
    return out;
  };
  const status = await until('the service account sees shop/payments', async () => {
    const seen = JSON.parse(await exec('isthmus', 'status', '--output', 'json')) as Status;
    return JSON.stringify(seen).includes('payments') ? seen : undefined;
  });
  assert.match(JSON.stringify(status), /"live"/);

  await writeFile(join(pods.volumes['token'] ?? '', 'token'), await exec('isthmus', 'gateway', 'token', '--max-uses', '2'));
  const gatewayPod = await podOf('deploy/kubernetes/gateway.yaml');
  const [gateway] = gatewayPod.containers;
  assert.ok(gateway !== undefined && gatewayPod.hostNetwork === true);
  const onNode = { ...pods, netns: node.netns, volumes: { token: pods.volumes['token'] ?? '', state: pods.volumes['gateway'] ?? '' } };
  const gatewayProbe = { url: probeUrl(gateway, 'readinessProbe', node.address) ?? 'no such port' };
  const ready = async (): Promise<boolean> => (await node.reach.request(gatewayProbe)).status === 200;
  const start = () => startContainer(podContainer(gatewayPod, 'gateway', onNode), ready);
  const running = await start();
  onEnd(t, () => running.stop());
  assert.equal((await podHost.reach.request({ url: `http://${node.address}:15020/metrics` })).status, 200);
  const { gateways } = JSON.parse(await exec('isthmus', 'status', '--output', 'json')) as Status;
  assert.deepEqual(
    gateways.map((g) => g.instance),
    ['isthmus-gateway-0'],
  );
});
