import { execFile } from 'node:child_process';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { type PodSpec, readManifests, repositoryRoot } from '../../support/deploy-files.ts';
import { onEnd } from '../../support/on-end.ts';
import { type Host, inNamespace, type Network, type RunningKubernetes, startKubernetes } from '../servers/index.ts';
import { makeWorkFolder, removeWorkFolder } from '../servers/work-folder.ts';
import type { PodPlace } from './pods.ts';

const run = promisify(execFile);

export interface KubernetesPlace {
  readonly kubernetes: RunningKubernetes;
  /** The node of the gateway, on whose own network that is. */
  readonly node: Host;
  /** The control plane's pod. */
  readonly pod: Host;
  kubectl(...args: string[]): Promise<string>;
}

/** The API server on a host of its own, `api` of the site `west`; `node` and `pod` are for what the test runs. */
export async function place(t: TestContext, network: Network): Promise<KubernetesPlace> {
  const api = network.host('west', 'api');
  const kubernetes = await startKubernetes({ netns: api.netns, address: api.address });
  onEnd(t, () => kubernetes.stop());
  const kubectl = async (...args: string[]): Promise<string> => {
    const [command, line] = inNamespace(api.netns, kubernetes.kubectl, ['--kubeconfig', kubernetes.kubeconfig, ...args]);
    return (await run(command, line, { cwd: repositoryRoot })).stdout;
  };
  return { kubernetes, node: network.host('west', 'node'), pod: network.host('west', 'pod'), kubectl };
}

/** The pod template of a StatefulSet. */
export async function podOf(path: string): Promise<PodSpec> {
  const pods = (await readManifests(path)).flatMap((m) => m.spec?.template?.spec ?? []);
  if (pods[0] === undefined) throw new Error(`${path} holds no pod template`);
  return pods[0];
}

/** What a kubelet and its volumes would put there. The state is made as a new volume is under `fsGroup`: root's, writable for the group. */
export async function kubelet(t: TestContext, { kubernetes, node, pod, kubectl }: KubernetesPlace, config: string): Promise<PodPlace> {
  const folder = await makeWorkFolder('kubelet');
  onEnd(t, () => removeWorkFolder(folder));
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
