import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningEtcd, startEtcd } from './etcd.ts';
import { type Installation, install } from './install.ts';
import { type KubernetesApi, kubernetesApi } from './kubernetes-api.ts';
import { onFreePorts, type Running, startServer } from './server-process.ts';

export interface KubernetesOptions {
  /** Network namespace to run in; that of this process unless said. */
  readonly netns?: string;
  /** Address that the API server binds, and that its certificate names; 127.0.0.1 unless said. */
  readonly address?: string;
  readonly ports?: Partial<Record<'secure', number>>;
  /** Range of ClusterIPs; 10.0.0.0/24 unless said. */
  readonly serviceCidr?: string;
}

/** A Kubernetes control plane without nodes: pods have no kubelet, so a test writes their status (see `KubernetesApi`). */
export interface RunningKubernetes {
  /** Base URL of the API server (HTTPS). */
  readonly url: string;
  /** Bearer token of an admin (group system:masters). */
  readonly token: string;
  /** PEM of the certificate authority that signed the API server's certificate. */
  readonly ca: string;
  /** A kubeconfig with all of the above. */
  readonly kubeconfig: string;
  /** Path of a kubectl of the same version. */
  readonly kubectl: string;
  readonly api: KubernetesApi;
  readonly etcd: RunningEtcd;
  readonly apiserver: Running;
  readonly controllerManager: Running;
  /** Ends all three and removes what they wrote. Idempotent. */
  stop(): Promise<void>;
}

/** The controllers that need no kubelet and no cloud; those that would mark the test's nodes dead and evict its pods stay off. */
const CONTROLLERS = [
  'deployment-controller',
  'endpoints-controller',
  'endpointslice-controller',
  'endpointslice-mirroring-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'replicaset-controller',
  'root-ca-certificate-publisher-controller',
  'serviceaccount-controller',
];

/**
 * Starts etcd, kube-apiserver (RBAC on) and kube-controller-manager, ready when the default service account exists, so that
 * pods can be created and services get EndpointSlices.
 */
export async function startKubernetes(options: KubernetesOptions = {}): Promise<RunningKubernetes> {
  const installation = await install('kubernetes');
  const placed = { ...(options.netns === undefined ? {} : { netns: options.netns }) };
  const started: Pick<Running, 'stop'>[] = [];
  const stop = async (): Promise<void> => {
    for (const server of started.splice(0).reverse()) await server.stop();
  };
  try {
    const etcd = await startEtcd(placed);
    started.push(etcd);
    const { server: apiserver, ...access } = await startApiServer(installation, etcd, options);
    started.push(apiserver);
    const api = kubernetesApi(apiserver.reach, access.url, access.token, access.ca);
    const controllerManager = await startControllerManager(installation, access, api, options.netns);
    started.push(controllerManager);
    return { ...access, kubectl: installation.binary('kubectl'), api, etcd, apiserver, controllerManager, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Access {
  readonly url: string;
  readonly token: string;
  readonly ca: string;
  readonly kubeconfig: string;
  readonly keyFile: string;
}

async function startApiServer(
  installation: Installation,
  etcd: RunningEtcd,
  options: KubernetesOptions,
): Promise<Access & { server: Running }> {
  const address = options.address ?? '127.0.0.1';
  const where = { name: 'kube-apiserver', netns: options.netns, fixed: options.ports };
  return onFreePorts(where, ['secure'], async (ports, folder) => {
    const url = `https://${address}:${ports.secure}`;
    const token = randomBytes(24).toString('hex');
    const keyFile = join(folder, 'sa.key');
    const tokenFile = join(folder, 'tokens.csv');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await writeFile(keyFile, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
    await writeFile(tokenFile, `${token},admin,admin,system:masters\n`, { mode: 0o600 });
    const certificate = join(folder, 'certs', 'apiserver.crt');
    const server = await startServer({
      name: 'kube-apiserver',
      command: installation.binary('kube-apiserver'),
      args: [
        `--etcd-servers=${etcd.url}`,
        `--secure-port=${ports.secure}`,
        `--bind-address=${address}`,
        `--advertise-address=${address}`,
        `--cert-dir=${join(folder, 'certs')}`,
        `--service-account-key-file=${keyFile}`,
        `--service-account-signing-key-file=${keyFile}`,
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-cluster-ip-range=${options.serviceCidr ?? '10.0.0.0/24'}`,
        `--token-auth-file=${tokenFile}`,
        '--authorization-mode=RBAC',
        '--endpoint-reconciler-type=none',
        '--v=0',
      ],
      netns: options.netns,
      folder,
      readyTimeoutMs: 120_000,
      ready: async (reach) => {
        const ca = await readFile(certificate, 'utf8');
        return (await reach.request({ url: `${url}/readyz`, ca, headers: { authorization: `Bearer ${token}` } })).status === 200;
      },
    });
    const ca = await readFile(certificate, 'utf8');
    const kubeconfig = join(folder, 'kubeconfig');
    await writeFile(kubeconfig, kubeconfigText(url, token, ca), { mode: 0o600 });
    return { server, url, token, ca, kubeconfig, keyFile };
  });
}

async function startControllerManager(
  installation: Installation,
  access: Access,
  api: KubernetesApi,
  netns: string | undefined,
): Promise<Running> {
  return onFreePorts({ name: 'kube-controller-manager', netns }, [], async (_ports, folder) => {
    return startServer({
      name: 'kube-controller-manager',
      command: installation.binary('kube-controller-manager'),
      args: [
        `--kubeconfig=${access.kubeconfig}`,
        '--leader-elect=false',
        '--secure-port=0',
        `--service-account-private-key-file=${access.keyFile}`,
        `--controllers=${CONTROLLERS.join(',')}`,
        '--v=0',
      ],
      netns,
      folder,
      ready: async () => (await api.get('/api/v1/namespaces/default/serviceaccounts/default')) !== undefined,
    });
  });
}

function kubeconfigText(url: string, token: string, ca: string): string {
  // JSON is YAML, and kubeconfig readers take both.
  return `${JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
      users: [{ name: 'admin', user: { token } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    },
    null,
    2,
  )}\n`;
}
