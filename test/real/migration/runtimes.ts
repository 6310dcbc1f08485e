import { fileURLToPath } from 'node:url';
import type { Host, Running, RunningConsul, RunningKubernetes } from '../servers/index.ts';
import { startServer } from '../servers/server-process.ts';
import { makeWorkFolder } from '../servers/work-folder.ts';

export const appPort = 8080;
/** Of shop/ledger, which the same processes serve. */
export const tcpPort = 8081;

/** How the app of one side behaves. */
export interface AppVersion {
  /** Of 100 requests. */
  readonly fails: number;
  readonly delayMs: number;
}

export const goodVersion: AppVersion = { fails: 0, delayMs: 20 };

/** One place of the service: a machine of a runtime, and the process that runs there now. */
export interface Backend {
  readonly host: Host;
  /** What it answers. */
  readonly name: string;
  readonly app: Running;
  /** Ends the process, at once and without a word to its runtime. */
  die(): Promise<void>;
  /** Another process in its place. */
  replace(version: AppVersion): Promise<void>;
  stop(): Promise<void>;
}

export async function startBackend(host: Host, version: AppVersion): Promise<Backend> {
  const name = `orders-${host.name}`;
  let app = await startApp(host, name, version);
  return {
    host,
    name,
    get app() {
      return app;
    },
    die: () => app.kill9(),
    replace: async (next) => {
      await app.stop();
      app = await startApp(host, name, next);
    },
    stop: () => app.stop(),
  };
}

async function startApp(host: Host, name: string, { fails, delayMs }: AppVersion): Promise<Running> {
  return startServer({
    name,
    command: process.execPath,
    args: [fileURLToPath(new URL('./app.js', import.meta.url)), name, String(appPort), String(tcpPort), String(fails), String(delayMs)],
    netns: host.netns,
    folder: await makeWorkFolder(name),
    ready: async (reach) => (await reach.request({ url: `http://127.0.0.1:${appPort}/healthz` })).status === 200,
  });
}

const services = [
  { service: 'orders', port: appPort, protocol: 'http' },
  { service: 'ledger', port: tcpPort, protocol: 'tcp' },
] as const;

/** As an operator of VMs does it. Its check is one that the machine reports by itself: a Consul that dials it would be a caller. */
export async function registerVm(consul: RunningConsul, { host, name }: Backend): Promise<void> {
  for (const { service, port, protocol } of services) {
    await consul.api('PUT', '/v1/agent/service/register', {
      ID: `${service}-${host.name}`,
      Name: service,
      Address: host.address,
      Port: port,
      Meta: { 'isthmus-protocol': protocol },
      Check: { CheckID: `${service}-${name}`, TTL: '1h', Status: 'passing' },
    });
  }
}

/** The Services, and for each process what a kubelet would say of it. */
export async function describePods({ api }: RunningKubernetes, pods: readonly Backend[]): Promise<void> {
  await api.ensureNamespace('shop');
  for (const { host, name } of pods) {
    await api.writePod({ namespace: 'shop', name, labels: { app: 'orders' }, ip: host.address, serviceAccount: 'orders' });
  }
  for (const { service, port, protocol } of services) {
    await api.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: service, namespace: 'shop' },
      spec: { selector: { app: 'orders' }, ports: [{ name: protocol, port, targetPort: port }] },
    });
  }
}
