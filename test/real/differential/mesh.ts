import { until } from '../../support/until.ts';
import { type Apps, plainServices, servicePorts, startApps } from './apps.ts';
import { httpCall } from './clients/http-call.ts';
import { rawCall } from './clients/raw-call.ts';
import type { Place } from './place.ts';
import { type MeshGateway, type ProxyAdmin, type ProxyKind, type Sidecar, startMeshGateway, startSidecar } from './proxies.ts';
import { type Site, startSite } from './site.ts';

/** Two ways from a caller in east to an app in west. Each passes two ends of mTLS. */
export type Way = 'sidecars' | 'gateways';
type Service = keyof typeof servicePorts;

/**
 * One mesh, all of whose proxies are of one kind. `sidecars`: caller → its sidecar → west's gateway (passthrough) → the app's sidecar.
 * `gateways`: caller → east's gateway (originate) → west's gateway (terminate) → an app without a sidecar.
 */
export interface Mesh {
  readonly kind: ProxyKind;
  readonly east: Site;
  readonly west: Site;
  readonly eastGateway: MeshGateway;
  readonly westGateway: MeshGateway;
  readonly caller: Sidecar;
  readonly servers: { readonly web: Sidecar; readonly rpc: Sidecar; readonly wire: Sidecar };
  readonly apps: Apps;
  /** Where a caller dials an app on a way. */
  port(way: Way, service: Service): number;
  /** Where a caller without a sidecar dials a service of west, such as `flaky`. */
  originated(service: string, port: number): Promise<number>;
  readonly proxies: readonly ProxyAdmin[];
}

/** Starts everything and waits until both ways lead somewhere. */
export async function startMesh(place: Place, kind: ProxyKind): Promise<Mesh> {
  const apps = await startApps(place);
  const [east, west] = await startSites(place, await plainServices(place, apps));
  const [eastGateway, westGateway] = await Promise.all([startMeshGateway(place, east, kind), startMeshGateway(place, west, kind)]);
  const calls = Object.entries(servicePorts).map(([name, port]) => `${name}.shop.mesh.internal:${port}`);
  const http = await apps.http.open('sidecar');
  const sidecar = (service: Exclude<Service, 'h2'>, protocol: 'http' | 'grpc' | 'tcp', appPort: number) =>
    startSidecar(place, west, kind, { service, port: servicePorts[service], protocol, appPort });
  const [caller, web, rpc, wire] = await Promise.all([
    startSidecar(place, east, kind, { service: 'caller', port: 80, protocol: 'http', appPort: http, calls }),
    sidecar('web', 'http', http),
    sidecar('rpc', 'grpc', apps.grpc.port),
    sidecar('wire', 'tcp', apps.tcp.port),
  ]);
  const originated = (service: string, port: number) => gatewayPort(east, service, port);
  const names = Object.keys(servicePorts) as Service[];
  const gatewayPorts = new Map(await Promise.all(names.map(async (name) => [name, await originated('open', servicePorts[name])] as const)));
  const port = (way: Way, service: Service) =>
    (way === 'gateways' ? gatewayPorts.get(service) : caller.outbound.get(`${service}.shop.mesh.internal:${servicePorts[service]}`)) ?? 0;
  const servers = { web, rpc, wire };
  const proxies = [eastGateway, westGateway, caller, ...Object.values(servers)];
  const mesh: Mesh = { kind, east, west, eastGateway, westGateway, caller, servers, apps, port, originated, proxies };
  await untilBothWaysLead(mesh);
  return mesh;
}

/** West exports all but `hidden`, and lets east speak for the namespaces `shop` and `isthmus-system` only. */
async function startSites(place: Place, services: string): Promise<readonly [Site, Site]> {
  const exports = ['open', 'several', 'flaky', 'down', 'empty', 'web', 'rpc', 'wire'].map((name) => `shop/${name}`);
  const ports = [await place.portRange(), await place.portRange()] as const;
  const [east, west] = await Promise.all([
    startSite(place, {
      cluster: 'east',
      root: true,
      exports: ['shop/caller'],
      peer: { cluster: 'west', namespaces: ['*'] },
      originatePorts: ports[0],
    }),
    startSite(place, {
      cluster: 'west',
      root: false,
      exports,
      peer: { cluster: 'east', namespaces: ['shop', 'isthmus-system'] },
      originatePorts: ports[1],
      services,
    }),
  ]);
  await west.run('peer', 'join', await east.run('peer', 'invite'));
  return [east, west];
}

/** Where gateways of `site` take callers without a sidecar for a service of another cluster. */
export function gatewayPort(site: Site, service: string, port: number): Promise<number> {
  return until(`a gateway port for ${service}:${port} at ${site.cluster}`, async () => {
    const { services } = await site.status();
    return services.find((s) => s.name === service && s.namespace === 'shop')?.ports.find((p) => p.port === port)?.gatewayPort;
  });
}

async function untilBothWaysLead({ apps, port }: Mesh): Promise<void> {
  apps.http.behave((_request, response) => void response.end('here'));
  apps.tcp.behave((socket) => void socket.end('here'));
  for (const way of ['sidecars', 'gateways'] as const) {
    await until(`HTTP over ${way}`, async () => (await httpCall({ port: port(way, 'web') })).body === 'here', 30_000);
    const bytes = { port: port(way, 'wire'), quietMs: 1_000 };
    await until(`bytes over ${way}`, async () => (await rawCall(bytes)).bytes.includes('here'), 30_000);
  }
}
