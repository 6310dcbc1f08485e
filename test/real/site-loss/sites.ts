import { fileURLToPath } from 'node:url';
import { type ControlHost, type GatewayHost, joinVm, startControl, startGateway } from '../scenario/isthmus-process.ts';
import { createNetwork, type Host, install, type Network, type Running } from '../servers/index.ts';
import { startServer } from '../servers/server-process.ts';
import { makeWorkFolder } from '../servers/work-folder.ts';

const trustDomain = 'sites.test';
const appPort = 8080;
/** On the caller's loopback. */
const outboundPort = 18_080;

export const backendSites = ['east', 'south'] as const;
export type BackendSite = (typeof backendSites)[number];
type CallerProxy = 'isthmus' | 'envoy';

/** Three clusters, each a site and a region of its own: `west` asks, the others serve shop/orders from two VMs each, behind a gateway. */
export interface Sites {
  readonly network: Network;
  readonly control: Readonly<Record<'west' | BackendSite, ControlHost>>;
  readonly gateways: Readonly<Record<BackendSite, GatewayHost>>;
  readonly callers: readonly { readonly host: Host; readonly proxy: CallerProxy }[];
  /** shop/orders, from a caller's own machine. */
  readonly url: string;
}

export async function startSites(ending: (end: () => Promise<unknown>) => void, proxies: readonly CallerProxy[]): Promise<Sites> {
  const machines = ['control', 'gw', 'vm1', 'vm2'];
  const network = await createNetwork({
    sites: { west: ['control', ...proxies.map((_, i) => `caller${i + 1}`)], east: machines, south: machines },
  });
  ending(() => network.remove());
  const start = async (site: 'west' | BackendSite): Promise<ControlHost> => {
    const host = network.host(site, 'control');
    const control = await startControl(
      host,
      site === 'west' ? westConfig(host) : config(site, host),
      site === 'west' ? trustDomain : undefined,
    );
    ending(() => control.process.stop());
    return control;
  };
  const west = await start('west');
  const [east, south] = await Promise.all([start('east'), start('south')]);
  await east.run('peer', 'join', await west.run('peer', 'invite'));
  await south.run('peer', 'join', await west.run('peer', 'invite'));
  await south.run('peer', 'join', await east.run('peer', 'invite'));
  const control = { west, east, south };
  const serve = (site: BackendSite) => startBackends(ending, network, site, control[site]);
  const [eastGateway, southGateway] = await Promise.all([serve('east'), serve('south')]);
  const callers = proxies.map((proxy, i) => ({ host: network.host('west', `caller${i + 1}`), proxy }));
  for (const { host, proxy } of callers) {
    const byEnvoy = proxy === 'envoy' ? ['--envoy-path', (await install('envoy')).binary('envoy')] : [];
    const agent = await joinVm(host, west, {
      service: 'shop/caller',
      port: 80,
      flags: ['--locality', 'west/a', '--outbound', `orders.shop.mesh.internal:80=${outboundPort}`, '--proxy', proxy, ...byEnvoy],
    });
    ending(() => agent.stop());
  }
  return { network, control, gateways: { east: eastGateway, south: southGateway }, callers, url: `http://127.0.0.1:${outboundPort}/` };
}

async function startBackends(
  ending: (end: () => Promise<unknown>) => void,
  network: Network,
  site: BackendSite,
  control: ControlHost,
): Promise<GatewayHost> {
  const gateway = await startGateway(network.host(site, 'gw'), control);
  ending(() => gateway.process.stop());
  for (const name of ['vm1', 'vm2']) {
    const host = network.host(site, name);
    const app = await startBackend(host);
    ending(() => app.stop());
    const agent = await joinVm(host, control, { service: 'shop/orders', port: 80, appPort, flags: ['--locality', `${site}/a`] });
    ending(() => agent.stop());
  }
  return gateway;
}

async function startBackend(host: Host): Promise<Running> {
  return startServer({
    name: `backend-${host.site}-${host.name}`,
    command: process.execPath,
    args: [fileURLToPath(new URL('./app.js', import.meta.url)), host.site, String(appPort)],
    netns: host.netns,
    folder: await makeWorkFolder(`backend-${host.site}-${host.name}`),
    ready: async (reach) => (await reach.request({ url: `http://127.0.0.1:${appPort}/` })).status === 200,
  });
}

function config(site: string, host: Host, identity = ''): string {
  return `apiVersion: isthmus.dev/v1alpha1
kind: Mesh
metadata: {name: ${site}}
spec:
  cluster: ${site}
  trustDomain: ${trustDomain}
  stateDir: "{state}"
  grpc: {listen: "0.0.0.0:15012", advertise: ["${host.address}:15012"]}
  api: {listen: "127.0.0.1:15014"}
${identity}---
apiVersion: isthmus.dev/v1alpha1
kind: ExportPolicy
metadata: {name: everything, namespace: "*"}
spec: {services: ["*/*"], audience: ["*"]}
`;
}

/** Half to each site, for callers of west. Outliers are found without a rule. */
function westConfig(host: Host): string {
  return `${config('west', host, '  identity: {rootDir: "{root}"}\n')}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: orders, namespace: shop}
spec:
  host: orders
  trafficPolicy:
    loadBalancer:
      localityLbSetting:
        distribute: [{from: west/*, to: {"east/*": 50, "south/*": 50}}]
`;
}
