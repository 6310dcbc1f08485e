import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { kubernetesManifests, type Manifest, readManifests } from '../support/deploy-files.ts';
import { type Fence, readFences } from '../support/docs-blocks.ts';
import { onEnd } from '../support/on-end.ts';
import { until } from '../support/until.ts';
import { commandInside, runContainer, startContainer } from './containers/container.ts';
import { kubelet, place, podOf } from './containers/kubelet.ts';
import { type Machine, startMachine } from './containers/machine.ts';
import { podContainer } from './containers/pods.ts';
import { createNetwork, install, type Network, startConsul, startNomad } from './servers/index.ts';
import { makeWorkFolder, removeWorkFolder } from './servers/work-folder.ts';

const run = promisify(execFile);
const page = 'docs/install.md';

/** Commands that cannot be run here, and what stands for them. */
const elsewhere: Readonly<Record<string, string>> = {
  'npm ci && npm run build && npm prune --omit=dev': 'needs a checkout of its own: what CI does before every test',
  'docker build -t isthmus:0.1.0 .': 'no container engine: the other tests lay out a root as the image does',
  'docker compose up -d': 'no container engine: deploy-compose.test.ts starts what the file says',
  'docker compose exec west-control isthmus status': 'deploy-compose.test.ts',
  'docker compose exec west-control isthmus peer list': 'deploy-compose.test.ts',
};

const machines = 'On a machine, with systemd';

async function blocks(section: string, info = ''): Promise<string[]> {
  const found = (await readFences(page)).filter((f) => f.language === 'sh' && f.section === section && f.info === info);
  return found
    .map((f) => f.body)
    .filter(
      (body) =>
        !body
          .trim()
          .split('\n')
          .every((line) => line in elsewhere),
    );
}

async function fence(section: string, text: string): Promise<string> {
  const found = (await readFences(page)).find((f) => f.section === section && f.body.includes(text));
  assert.ok(found !== undefined, `${section}: nothing says ${text}`);
  return found.body;
}

test('docs/install.md has no section, and no command, that no test here or elsewhere runs', async () => {
  const fences = (await readFences(page)).filter((f: Fence) => f.language === 'sh');
  const known = [machines, 'On Kubernetes', 'On Nomad', 'To try it, with Docker Compose', 'Uninstall'];
  assert.deepEqual([...new Set(fences.map((f) => f.section))], known);
  const lines = fences.flatMap((f) => f.body.trim().split('\n'));
  for (const command of Object.keys(elsewhere)) assert.ok(lines.includes(command), `${command} is no longer on the page`);
});

/** The page's first cluster on a machine, as far as its gateway. */
async function installEast(t: TestContext, network: Network): Promise<Machine> {
  const host = network.host('east', 'machine');
  const machine = await startMachine(host);
  onEnd(t, () => machine.stop());
  const here = (text: string) => text.replaceAll('10.0.0.5', host.address);
  const [files = '', ...rest] = await blocks(machines);
  await machine.sh(files);
  await machine.sh('cat > /etc/isthmus/isthmus.yaml', here(await fence(machines, 'kind: Mesh')));
  for (const block of rest) {
    // Only where the page itself says that it takes a moment.
    if (block.trim() === 'isthmus status') await until('the control plane answers', () => machine.sh(block));
    else await machine.sh(here(block));
  }
  await untilReady(machine, 15_021, '/readyz');
  await untilReady(machine, 15_022, '/healthz/ready');
  return machine;
}

async function untilReady({ host, sh }: Machine, port: number, path: string): Promise<void> {
  const url = `http://127.0.0.1:${port}${path}`;
  await until(`${url} on ${host.name}`, async () => {
    if ((await host.reach.request({ url })).status === 200) return true;
    throw new Error(await sh('tail -n 3 /run/isthmus-*.log'));
  });
}

test('install.md, machines: control plane, gateway and agent under their units, and away again', { timeout: 300_000 }, async (t) => {
  const network = await createNetwork({ sites: { east: ['machine', 'vm'] } });
  onEnd(t, () => network.remove());
  const machine = await installEast(t, network);
  assert.match(await machine.sh('stat -c "%a %U" /etc/isthmus/gateway.token /var/lib/isthmus'), /^600 root\n700 isthmus\n$/);

  const host = network.host('east', 'vm');
  const vm = await startMachine(host);
  onEnd(t, () => vm.stop());
  await vm.sh((await blocks(machines))[0] ?? '');
  await vm.sh('cat > orders.token', await machine.sh('cat orders.token'));
  for (const block of await blocks(machines, 'on=vm')) await vm.sh(block.replaceAll('10.0.0.7', host.address));
  await until('the agent has registered', async () => (await machine.sh('isthmus vm list')).includes('shop/orders'));
  assert.match(await vm.sh('cat /proc/$(cat /run/isthmus-agent.pid)/status | grep CapEff'), /0000000000000400/);

  const [records = '', units = ''] = await blocks('Uninstall');
  assert.match(await machine.sh(records), /Nothing was written outside the state folder|Removed 0 records/);
  await machine.sh(units);
  assert.equal((await machine.sh('ls /var/lib /etc/isthmus 2>&1 | grep isthmus || true')).includes('/etc/isthmus/'), false);
});

test('install.md, Kubernetes: west joins the machine in east, on a real API server', { timeout: 300_000 }, async (t) => {
  const network = await createNetwork({ sites: { east: ['machine'], west: ['api', 'node', 'pod'] } });
  onEnd(t, () => network.remove());
  const east = await installEast(t, network);
  const here = await place(t, network);
  const configMap = (await readManifests('deploy/kubernetes/control.yaml')).find((m): m is Manifest => m.kind === 'ConfigMap');
  for (const name of ['worker-1', 'worker-2']) await here.kubernetes.api.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name } });

  const folder = await makeWorkFolder('reader');
  onEnd(t, () => removeWorkFolder(folder));
  const script = await blocks('On Kubernetes');
  const [apply = '', join_ = '', gateway = '', again = ''] = script;
  await kubectlScript(folder, here.kubernetes.kubectl, here.kubernetes.kubeconfig, network, undefined);
  await shell(folder, apply);
  for (const path of kubernetesManifests.slice(0, 2)) assert.ok((await readManifests(path)).length > 0);

  const pods = await kubelet(t, here, configMap?.data?.['isthmus.yaml'] ?? '');
  const pod = await podOf('deploy/kubernetes/control.yaml');
  assert.equal((await runContainer(podContainer(pod, 'first-start', pods))).code, 0);
  // Alive, not ready: it has not joined.
  const probe = { url: `http://${here.pod.address}:15021/healthz` };
  const control = await startContainer(podContainer(pod, 'control', pods), async (reach) => (await reach.request(probe)).status === 200);
  onEnd(t, () => control.stop());
  await kubectlScript(folder, here.kubernetes.kubectl, here.kubernetes.kubeconfig, network, commandInside(control, 1000, []));
  await writeFile(join(folder, 'invite.token'), await east.sh('isthmus peer invite'));
  await shell(folder, join_);
  const readiness = { url: `http://${here.pod.address}:15021/readyz` };
  await until('west is ready', async () => (await here.pod.reach.request(readiness)).status === 200);
  await shell(folder, gateway);
  const secret = await here.kubernetes.api.get('/api/v1/namespaces/isthmus-system/secrets/isthmus-gateway-token');
  const { token = '' } = (secret?.['data'] ?? {}) as { token?: string };
  assert.match(Buffer.from(token, 'base64').toString(), /^isthmus-join/);
  await shell(folder, again);
  assert.equal((await runContainer(podContainer(pod, 'first-start', pods))).code, 1, 'the store is held while the control plane runs');
  await control.terminate();
  assert.equal((await runContainer(podContainer(pod, 'first-start', pods))).code, 0);
  const removal = (await blocks('Uninstall'))[2] ?? '';
  assert.match(removal, /^kubectl delete/);
  await shell(folder, removal.replace('kubectl delete', 'kubectl delete --wait=false'));
});

/** `kubectl` as the page's reader has it: `exec` goes into the container that plays the pod; no controller makes or ends the pod itself. */
async function kubectlScript(
  folder: string,
  kubectl: string,
  config: string,
  network: Network,
  exec: [string, string[]] | undefined,
): Promise<void> {
  const inside =
    exec === undefined
      ? 'false'
      : `${exec[0]} ${exec[1].join(' ')} env PATH=/usr/local/bin:/usr/bin:/bin ISTHMUS_CONTEXT_FILE=/var/lib/isthmus/context.yaml`;
  const real = `nsenter --net=/run/netns/${network.host('west', 'api').netns} ${kubectl} --kubeconfig ${config}`;
  const text = `#!/bin/bash
case "$3" in
  exec) shift 5; exec ${inside} "$@" ;;
  delete) exec ${real} get -n isthmus-system statefulset "\${5%-0}" ;;
  rollout) exec ${real} get -n isthmus-system statefulset isthmus-control ;;
esac
exec ${real} "$@"
`;
  await mkdir(join(folder, 'bin'), { recursive: true });
  await writeFile(join(folder, 'bin/kubectl'), text);
  await chmod(join(folder, 'bin/kubectl'), 0o755);
  await run('ln', ['-sfn', new URL('../../../deploy', import.meta.url).pathname, join(folder, 'deploy')]);
}

async function shell(folder: string, script: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const options = { cwd: folder, env: { PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, HOME: folder, ...env } };
  const { stdout } = await run('bash', ['--norc', '-euo', 'pipefail', '-c', script], options);
  return stdout;
}

test('install.md, Nomad: its commands on a real Nomad', { timeout: 300_000 }, async (t) => {
  const nomad = await startNomad();
  onEnd(t, () => nomad.stop());
  const consul = await startConsul();
  onEnd(t, () => consul.stop());
  const folder = await makeWorkFolder('reader');
  onEnd(t, () => removeWorkFolder(folder));
  await mkdir(join(folder, 'bin'));
  const binary = (await install('nomad')).binary('nomad');
  // Its tasks are for the docker driver: deploy-nomad.test.ts runs them. What is exec'd there answers with a token's form.
  await writeFile(
    join(folder, 'bin/nomad'),
    `#!/bin/bash\nif [ "$1 $2" = "alloc exec" ]; then echo "isthmus-join for: $*"; exit; fi\nexec ${binary} "$@"\n`,
  );
  await chmod(join(folder, 'bin/nomad'), 0o755);
  await run('ln', ['-sfn', new URL('../../../deploy', import.meta.url).pathname, join(folder, 'deploy')]);
  for (const name of ['nomad', 'consul']) await writeFile(join(folder, `${name}.token`), `${name}-secret`);
  const env = { NOMAD_ADDR: nomad.url };
  for (const block of await blocks('On Nomad')) await shell(folder, block, env);
  const jobs = JSON.parse((await nomad.api('GET', '/v1/jobs')).body) as { ID: string }[];
  assert.deepEqual(jobs.map((j) => j.ID).sort(), ['isthmus-control', 'isthmus-gateway']);
  const variable = JSON.parse((await nomad.api('GET', '/v1/var/nomad/jobs/isthmus-control')).body) as { Items: object };
  assert.deepEqual(variable.Items, { consul_token: 'consul-secret', nomad_token: 'nomad-secret' });
  await assert.rejects(readFile(join(folder, 'gateway.token')), /ENOENT/);
  await shell(folder, (await blocks('Uninstall'))[3] ?? 'false', env);
  assert.equal((await nomad.api('GET', '/v1/jobs')).body.trim(), '[]');
});
