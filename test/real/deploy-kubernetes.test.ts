import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { Status } from '../../core/admin/index.ts';
import { kubernetesManifests, type Manifest, type PodSpec, readManifests, repositoryRoot } from '../support/deploy-files.ts';
import { until } from '../support/until.ts';
import { runContainer, startContainer } from './containers/container.ts';
import { type PodPlace, podContainer, probeUrl } from './containers/pods.ts';
import { createNetwork, type Host, inNamespace, type RunningKubernetes, startKubernetes } from './servers/index.ts';
import { makeWorkFolder, removeWorkFolder } from './servers/work-folder.ts';

const run = promisify(execFile);
const account = 'system:serviceaccount:isthmus-system:isthmus-control';

interface Place {
  readonly kubernetes: RunningKubernetes;
  /** The node of the gateway, on whose own network that is. */
  readonly node: Host;
  /** The control plane's pod. */
  readonly pod: Host;
  kubectl(...args: string[]): Promise<string>;
}

/** The API server on a node of its own, with the manifests' namespace, accounts and roles in it. */
async function place(t: TestContext): Promise<Place> {
  const network = await createNetwork({ sites: { west: ['api', 'node', 'pod'] } });
  t.after(() => network.remove());
  const api = network.host('west', 'api');
  const kubernetes = await startKubernetes({ netns: api.netns, address: api.address });
  t.after(() => kubernetes.stop());
  const kubectl = async (...args: string[]): Promise<string> => {
    const [command, line] = inNamespace(api.netns, kubernetes.kubectl, ['--kubeconfig', kubernetes.kubeconfig, ...args]);
    return (await run(command, line, { cwd: repositoryRoot })).stdout;
  };
  await kubectl('apply', '-f', 'deploy/kubernetes/rbac.yaml');
  return { kubernetes, node: network.host('west', 'node'), pod: network.host('west', 'pod'), kubectl };
}

test('the API server takes every manifest, without a field that it does not know', async (t) => {
  const { kubectl } = await place(t);
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
  const { kubectl } = await place(t);
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
});

/** The pod template of a StatefulSet. */
async function podOf(path: string): Promise<PodSpec> {
  const pods = (await readManifests(path)).flatMap((m) => m.spec?.template?.spec ?? []);
  assert.ok(pods[0] !== undefined);
  return pods[0];
}

/** What a kubelet and its volumes would put there. The state is made as a new volume is under `fsGroup`: root's, writable for the group. */
async function kubelet(t: TestContext, { kubernetes, node, pod, kubectl }: Place, config: string): Promise<PodPlace> {
  const folder = await makeWorkFolder('kubelet');
  t.after(() => removeWorkFolder(folder));
  const volumes = {
    config: join(folder, 'config'),
    state: join(folder, 'state'),
    gateway: join(folder, 'gateway'),
    token: join(folder, 'token'),
  };
  for (const path of Object.values(volumes)) {
    await mkdir(path, { mode: 0o2775 });
    await chown(path, 0, 1000);
    await run('chmod', ['2775', path]);
  }
  await writeFile(join(volumes.config, 'isthmus.yaml'), config);
  const account = join(folder, 'account');
  await mkdir(account);
  await writeFile(join(account, 'token'), (await kubectl('create', 'token', '-n', 'isthmus-system', 'isthmus-control')).trim());
  await writeFile(join(account, 'ca.crt'), kubernetes.ca);
  await writeFile(join(account, 'namespace'), 'isthmus-system');
  const hosts = join(folder, 'hosts');
  await writeFile(hosts, `127.0.0.1 localhost\n${pod.address} isthmus-control.isthmus-system.svc\n`);
  const { hostname, port } = new URL(kubernetes.url);
  return {
    netns: pod.netns,
    volumes,
    fields: { 'metadata.name': 'isthmus-gateway-0', 'status.hostIP': node.address },
    mounts: [
      { from: account, to: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
      { from: hosts, to: '/etc/hosts', readOnly: true },
    ],
    env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
  };
}

test('control plane and gateway run as their manifests say, on the rights that these give', { timeout: 300_000 }, async (t) => {
  const here = await place(t);
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
  t.after(() => control.stop());
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
  t.after(() => running.stop());
  assert.equal((await podHost.reach.request({ url: `http://${node.address}:15020/metrics` })).status, 200);
  const { gateways } = JSON.parse(await exec('isthmus', 'status', '--output', 'json')) as Status;
  assert.deepEqual(
    gateways.map((g) => g.instance),
    ['isthmus-gateway-0'],
  );
});
