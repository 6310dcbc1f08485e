import { HttpBackend } from './backends/http-backend.ts';
import { gatewayPort } from './mesh.ts';
import type { Place } from './place.ts';
import { type MeshGateway, type ProxyAdmin, type ProxyKind, type Sidecar, startMeshGateway, startSidecar } from './proxies.ts';
import { type Site, startSite } from './site.ts';
import { serviceEntry } from './site-config.ts';

const kinds: readonly ProxyKind[] = ['isthmus', 'envoy'];

/** One way of a request, by what carries it at each step. */
export interface Path {
  readonly name: string;
  /** Of a loopback address. */
  readonly address: string;
  readonly port: number;
  /** Which app answers. */
  readonly app: string;
  /** Whom it sees as its caller. */
  readonly principal: string;
}

export interface MixedMesh {
  readonly paths: readonly Path[];
  readonly proxies: readonly ProxyAdmin[];
  readonly http: HttpBackend;
}

const port = 80;
const hostOf = (service: string) => `${service}.shop.mesh.internal:${port}`;

/**
 * Two clusters. In each, one network has our own gateway and one has Envoy; in each of west's networks one app is behind our own sidecar, one
 * behind Envoy, and one has none. All sidecars of a cluster call all apps of the other.
 */
export async function startMixedMesh(place: Place): Promise<MixedMesh> {
  const http = new HttpBackend();
  place.ending(() => http.close());
  const plain = new Map<ProxyKind, number>();
  for (const kind of kinds) plain.set(kind, await http.open(`plain-${kind}`));
  const [east, west] = await startSites(place, plain);
  const gateways = await Promise.all([...gatewaysOf(place, east), ...gatewaysOf(place, west)]);
  const inWest = kinds.flatMap((gateway) => kinds.map((kind) => ({ service: `app-${gateway}-${kind}`, kind, network: `west-${gateway}` })));
  // Behind the other kind's gateway, so that the way back mixes as well.
  const inEast = kinds.map((kind) => ({ service: `caller-${kind}`, kind, network: `east-${kind === 'envoy' ? 'isthmus' : 'envoy'}` }));
  const start = async (site: Site, of: (typeof inWest)[number], calls: readonly string[]) => {
    const appPort = await http.open(of.service);
    return startSidecar(place, site, of.kind, { ...of, port, protocol: 'http', appPort, calls: calls.map(hostOf) });
  };
  const plainNames = kinds.map((kind) => `plain-${kind}`);
  const westNames = inWest.map(({ service }) => service);
  const [callers, servers] = await Promise.all([
    Promise.all(inEast.map((of) => start(east, of, [...westNames, ...plainNames]))),
    Promise.all(
      inWest.map((of) =>
        start(
          west,
          of,
          inEast.map(({ service }) => service),
        ),
      ),
    ),
  ]);
  const paths = [
    ...callers.flatMap((caller) => [...westNames, ...plainNames].map((app) => sidecarPath(caller, app))),
    ...servers.flatMap((server) => inEast.map(({ service }) => sidecarPath(server, service))),
    ...(await originatedPaths(east, plainNames)),
  ];
  return { paths, proxies: [...gateways, ...callers, ...servers], http };
}

function sidecarPath(from: Sidecar, app: string): Path {
  const name = `${from.name.replace('agent-', '')} → ${app}`;
  return { name, address: '127.0.0.1', port: from.outbound.get(hostOf(app)) ?? 0, app, principal: from.spiffeId };
}

async function originatedPaths(east: Site, services: readonly string[]): Promise<readonly Path[]> {
  const principal = 'spiffe://differential.test/ns/isthmus-system/sa/gateway';
  const ports = await Promise.all(services.map((service) => gatewayPort(east, service, port)));
  return kinds.flatMap((kind) =>
    services.map((app, i) => ({
      name: `no sidecar, gateway ${kind} → ${app}`,
      address: gatewayAddress[kind],
      port: ports[i] ?? 0,
      app,
      principal,
    })),
  );
}

const gatewayAddress: Readonly<Record<ProxyKind, string>> = { isthmus: '127.0.0.1', envoy: '127.0.0.2' };

function gatewaysOf(place: Place, site: Site): readonly Promise<MeshGateway>[] {
  return kinds.map((kind) => startMeshGateway(place, site, kind, { network: `${site.cluster}-${kind}`, address: gatewayAddress[kind] }));
}

async function startSites(place: Place, plain: ReadonlyMap<ProxyKind, number>): Promise<readonly [Site, Site]> {
  const services = [...plain].map(([kind, at]) =>
    serviceEntry({
      name: `plain-${kind}`,
      ports: [{ number: port, name: 'web', protocol: 'HTTP' }],
      endpoints: [{ ports: { web: at }, network: `west-${kind}` }],
    }),
  );
  const of = async (cluster: string, peer: string) =>
    startSite(place, {
      cluster,
      root: cluster === 'east',
      exports: ['shop/*'],
      peer: { cluster: peer, namespaces: ['*'] },
      originatePorts: await place.portRange(),
      ...(cluster === 'west' ? { services: services.join('') } : {}),
    });
  const [east, west] = await Promise.all([of('east', 'west'), of('west', 'east')]);
  await west.run('peer', 'join', await east.run('peer', 'invite'));
  return [east, west];
}
