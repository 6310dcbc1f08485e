import { fileURLToPath } from 'node:url';
import {
  createNetwork,
  type Host,
  type Network,
  type RunningConsul,
  type RunningKubernetes,
  type RunningNomad,
  startConsul,
  startKubernetes,
  startNomad,
} from '../servers/index.ts';
import type { Running } from '../servers/server-process.ts';
import { type ControlHost, type GatewayHost, joinVm, startApp, startControl, startGateway } from './isthmus-process.ts';

/** Two clusters in network namespaces, between which only peering and east-west ports cross, on real registries. */
export interface Topology {
  readonly network: Network;
  readonly east: {
    readonly control: ControlHost;
    readonly gateway: GatewayHost;
    readonly consul: RunningConsul;
    readonly apps: readonly Running[];
    readonly vms: readonly Vm[];
  };
  readonly west: {
    readonly control: ControlHost;
    readonly gateway: GatewayHost;
    readonly kubernetes: RunningKubernetes;
    readonly nomad: RunningNomad;
    readonly consul: RunningConsul;
    readonly pods: readonly Running[];
  };
  host(site: string, name: string): Host;
}

export interface Vm {
  readonly host: Host;
  readonly app: Running;
  readonly agent: Running;
}

type Ending = (end: () => Promise<unknown>) => void;

const script = fileURLToPath(new URL('./app.js', import.meta.url));
export const trustDomain = 'scenario.test';
const serviceName = 'payments';

export async function startTopology(ending: Ending): Promise<Topology> {
  const network = await createNetwork({
    sites: {
      east: ['control', 'gw', 'consul', 'app1', 'app2', 'vm1', 'vm2'],
      west: ['control', 'gw', 'kube', 'nomad', 'consul', 'pod1', 'pod2'],
    },
  });
  ending(() => network.remove());
  const host = (site: string, name: string) => network.host(site, name);
  const keep = <T>(thing: T, end: (thing: T) => Promise<unknown>): T => {
    ending(() => end(thing));
    return thing;
  };
  const stop = (thing: { stop(): Promise<void> }) => thing.stop();

  const [eastConsul, westConsul, kubernetes, nomad] = await Promise.all([
    startConsulOn(host('east', 'consul'), 'east').then((c) => keep(c, stop)),
    startConsulOn(host('west', 'consul'), 'west').then((c) => keep(c, stop)),
    startKubernetes({ netns: host('west', 'kube').netns, address: host('west', 'kube').address }).then((k) => keep(k, stop)),
    startNomad({ netns: host('west', 'nomad').netns, address: host('west', 'nomad').address, networkInterface: 'eth0' }).then((n) =>
      keep(n, stop),
    ),
  ]);

  const apps = await Promise.all(['app1', 'app2'].map((name) => startCatalog(host('east', name), eastConsul).then((a) => keep(a, stop))));
  const pods = await Promise.all(['pod1', 'pod2'].map((name) => startPod(host('west', name), kubernetes).then((p) => keep(p, stop))));
  await kubernetes.api.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: serviceName, namespace: 'shop' },
    spec: { selector: { app: serviceName }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  });
  await nomad.run({
    job: 'inventory',
    command: process.execPath,
    args: [script, `inventory-\${NOMAD_SHORT_ALLOC_ID}`, '0.0.0.0', `\${NOMAD_PORT_main}`],
    count: 2,
    tags: ['isthmus.dev/port=80', 'isthmus.dev/protocol=http'],
    check: { http: '/healthz' },
  });

  const east = await startControl(host('east', 'control'), eastConfig(host('east', 'control'), eastConsul.url), trustDomain);
  ending(() => east.process.stop());
  const west = await startControl(
    host('west', 'control'),
    westConfig(host('west', 'control'), { kubernetes, nomad, consul: westConsul }),
    undefined,
  );
  ending(() => west.process.stop());
  await west.run('peer', 'join', await east.run('peer', 'invite'));
  const eastGateway = await startGateway(host('east', 'gw'), east);
  ending(() => eastGateway.process.stop());
  const westGateway = await startGateway(host('west', 'gw'), west);
  ending(() => westGateway.process.stop());
  const vms: Vm[] = [];
  for (const name of ['vm1', 'vm2']) {
    const app = keep(await startApp(host('east', name), `orders-${name}`, '127.0.0.1', 8080), stop);
    const agent = keep(await joinVm(host('east', name), east, { service: 'shop/orders', port: 8080, appPort: 8080 }), stop);
    vms.push({ host: host('east', name), app, agent });
  }
  return {
    network,
    east: { control: east, gateway: eastGateway, consul: eastConsul, apps, vms },
    west: { control: west, gateway: westGateway, kubernetes, nomad, consul: westConsul, pods },
    host,
  };
}

function startConsulOn(host: Host, datacenter: string): Promise<RunningConsul> {
  return startConsul({ netns: host.netns, address: host.address, clientAddress: '0.0.0.0', datacenter });
}

async function startCatalog(host: Host, consul: RunningConsul): Promise<Running> {
  const app = await startApp(host, `catalog-${host.name}`, '0.0.0.0', 8080);
  await consul.api('PUT', '/v1/agent/service/register', {
    ID: `catalog-${host.name}`,
    Name: 'catalog',
    Address: host.address,
    Port: 8080,
    Meta: { 'isthmus-protocol': 'http' },
    Check: {
      CheckID: `catalog-${host.name}`,
      HTTP: `http://${host.address}:8080/healthz`,
      Interval: '500ms',
      Timeout: '1s',
      Status: 'passing',
    },
  });
  return app;
}

async function startPod(host: Host, kubernetes: RunningKubernetes): Promise<Running> {
  const app = await startApp(host, `payments-${host.name}`, '0.0.0.0', 8080);
  await kubernetes.api.ensureNamespace('shop');
  await kubernetes.api.writePod(podOf(host, true));
  return app;
}

/** What a kubelet would say of the process on that host. */
export function podOf(host: Host, ready: boolean) {
  return {
    namespace: 'shop',
    name: `payments-${host.name}`,
    labels: { app: serviceName },
    ip: host.address,
    serviceAccount: serviceName,
    ready,
  };
}

function mesh(cluster: string, host: Host, more: string): string {
  return `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: ${cluster}}
spec:
  cluster: ${cluster}
  trustDomain: ${trustDomain}
  stateDir: "{state}"
  grpc: {listen: "0.0.0.0:15012", advertise: ["${host.address}:15012"]}
  api: {listen: "127.0.0.1:15014"}
  catalog: {agentTtl: 5s}
  originate: {sources: [{name: site, cidrs: [198.18.0.0/16]}]}
${more}---
apiVersion: isthmus.dev/v1alpha1
kind: ExportPolicy
metadata: {name: everything, namespace: "*"}
spec: {services: ["*/*"], audience: ["*"]}
`;
}

function registry(name: string, spec: string): string {
  return `---\napiVersion: isthmus.dev/v1alpha1\nkind: Registry\nmetadata: {name: ${name}}\nspec:\n${spec}`;
}

function eastConfig(host: Host, consul: string): string {
  const own = `  type: consul\n  publish: true\n  connection: {url: "${consul.replace('0.0.0.0', host.address)}"}\n  mapping: {namespace: shop, claims: ["shop/*"], exclude: [consul], protocol: http}\n`;
  return mesh('east', host, '  identity: {rootDir: "{root}"}\n') + registry('dc', own);
}

interface WestRegistries {
  readonly kubernetes: RunningKubernetes;
  readonly nomad: RunningNomad;
  readonly consul: RunningConsul;
}

function westConfig(host: Host, { kubernetes, nomad, consul }: WestRegistries): string {
  return (
    mesh('west', host, '') +
    registry(
      'prod',
      `  type: kubernetes\n  publish: true\n  connection: {kubeconfig: "${kubernetes.kubeconfig}", namespaces: [shop]}\n  mapping: {claims: ["shop/*"], protocol: http}\n`,
    ) +
    registry(
      'jobs',
      `  type: nomad\n  connection: {url: "${nomad.url}"}\n  mapping: {namespace: shop, claims: ["shop/*"], protocol: http}\n`,
    ) +
    registry('dc', `  type: consul\n  publish: true\n  connection: {url: "${consul.url}"}\n  mapping: {namespace: shop, exclude: ["*"]}\n`)
  );
}
